package router

import (
	"reflect"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// expired is an emit that died in a queue.
func expired(queue, exchange, key string, times int64) amqpbus.Delivery {
	return amqpbus.Delivery{Dead: &amqpbus.Death{Reason: "expired", Queue: queue, Exchange: exchange, Key: key, Times: times}}
}

func TestGapsOfExpiredEmits(t *testing.T) {
	const a, b = "job_events-1", "job_events-2"
	shardOf := func(group protocol.Group, shards int) int { return protocol.ShardOf(group, shards) }
	if shardOf(a, 4) == shardOf(b, 4) {
		t.Fatal("the test's groups are of one shard")
	}
	ours := func(group string, shards int) amqpbus.Delivery {
		shard := shardOf(protocol.Group(group), shards)
		d := expired(amqpbus.ShardQueue(shards, shard), amqpbus.EmitShards(shards), amqpbus.ShardKey(shard), 1)
		d.Headers = map[string]string{amqpbus.HeaderGroup: group}
		return d
	}
	gap := func(shard int, groups ...protocol.Group) protocol.Gap {
		return protocol.Gap{Shard: shard, Groups: groups}
	}
	for name, c := range map[string]struct {
		shards int
		pack   []amqpbus.Delivery
		want   []protocol.Gap
	}{
		"of anybody":          {1, []amqpbus.Delivery{expired(amqpbus.ShardQueue(1, 0), amqpbus.ExchangeEmit, b, 1)}, []protocol.Gap{gap(0, b)}},
		"each group once":     {1, []amqpbus.Delivery{ours(b, 1), ours(a, 1), ours(b, 1)}, []protocol.Gap{gap(0, b, a)}},
		"not yet forwarded":   {4, []amqpbus.Delivery{expired(amqpbus.QueueEmitIn, amqpbus.ExchangeEmit, a, 1)}, []protocol.Gap{gap(shardOf(a, 4), a)}},
		"control is no emit":  {1, []amqpbus.Delivery{expired(amqpbus.ShardQueue(1, 0), amqpbus.InterestExchange(1), "0", 1)}, nil},
		"no group in bounds":  {1, []amqpbus.Delivery{expired(amqpbus.ShardQueue(1, 0), amqpbus.ExchangeEmit, "nodash", 1)}, nil},
		"no header, no group": {1, []amqpbus.Delivery{expired(amqpbus.ShardQueue(1, 0), amqpbus.EmitShards(1), "0", 1)}, nil},
		"the history is older than this death": {1, []amqpbus.Delivery{ours(a, 1), expired(amqpbus.ShardQueue(1, 0), amqpbus.ExchangeEmit, b, 2)},
			[]protocol.Gap{gap(0)}},
		"older, of one shard of four": {4, []amqpbus.Delivery{expired(amqpbus.ShardQueue(4, 2), amqpbus.ExchangeEmit, b, 2)}, []protocol.Gap{gap(2)}},
		"older, not yet forwarded": {4, []amqpbus.Delivery{expired(amqpbus.QueueEmitIn, amqpbus.ExchangeEmit, b, 7)},
			[]protocol.Gap{gap(0), gap(1), gap(2), gap(3)}},
		"a history that cannot be read": {2, []amqpbus.Delivery{expired("", "", "", 0)}, []protocol.Gap{gap(0), gap(1)}},
		"no history":                    {2, []amqpbus.Delivery{{}}, []protocol.Gap{gap(0), gap(1)}},
	} {
		if got := expiredGaps(c.pack, c.shards); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
