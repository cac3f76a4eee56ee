package amqpbus

import (
	"slices"
	"testing"

	"belfry/pkg/protocol"
)

// TestNothingDiesWithANode: on a cluster a queue that is not a quorum queue is
// away, and cannot be declared, while its node is.
func TestNothingDiesWithANode(t *testing.T) {
	for _, shards := range []int{1, 4} {
		l := Layout{Shards: shards, Quorum: true}
		for _, q := range slices.Concat(SharedTopology(l).Queues, ReplyTopology(l, protocol.GatewayID("g.1")).Queues) {
			if !q.Quorum && !q.Stream {
				t.Errorf("%d shards: %s is a classic queue", shards, q.Name)
			}
		}
	}
}

// TestTheLogsOfAnInstallation: what any backend emits is read once, and on a
// cluster a baton outlives every hand-over.
func TestTheLogsOfAnInstallation(t *testing.T) {
	for shards, want := range map[int][]string{
		1: {"belfry.log.v2.n1.0"},
		2: {"belfry.log.v2.n2.0", "belfry.log.v2.n2.1", "belfry.log.v2.n2.in"},
	} {
		topology := LogTopology(Layout{Shards: shards, Quorum: true})
		var logs, foreign []string
		for _, q := range topology.Queues {
			switch {
			case q.Stream:
				logs = append(logs, q.Name)
				if q != (Queue{Name: q.Name, Stream: true}) {
					t.Errorf("%d shards: %+v: a broker refuses a stream with more", shards, q)
				}
			case !q.Quorum || !q.SingleActiveConsumer || !q.DropHead || q.MaxLength != 1 || q.Deliveries != 1_000_000:
				t.Errorf("%d shards: the queue of a baton is %+v", shards, q)
			}
		}
		for _, b := range topology.Bindings {
			if b.Exchange == ExchangeEmit {
				foreign = append(foreign, b.Queue)
			}
		}
		if !slices.Equal(logs, want) || !slices.Equal(foreign, want[len(want)-1:]) {
			t.Errorf("%d shards: logs %v, of foreign emits %v", shards, logs, foreign)
		}
	}
	for _, q := range LogTopology(Layout{Shards: 1}).Queues {
		if q.Deliveries != 0 {
			t.Errorf("a classic queue knows no bound of deliveries: %+v", q)
		}
	}
}
