package bustest

import (
	"strings"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

var topologyContracts = []contract{
	{"the links come up and health says so", testHealth},
	{"declaring again changes nothing", testIdempotent},
	{"other arguments are an error that names the queue", testConflict},
	{"another kind is an error that names the exchange", testKindConflict},
	{"another layout is an error of its own and declares nothing", testLayout},
	{"a reply queue is reached directly and with all", testReplyTopology},
}

func testHealth(k *kit) {
	b := k.bus(UserA)
	for {
		changed := b.Changed()
		h := b.Health()
		if h.Connected {
			if h.Err != nil || h.Blocked != "" {
				k.Errorf("connected, but %+v", h)
			}
			return
		}
		if h.Err == nil {
			k.Errorf("not connected, and no reason: %+v", h)
		}
		k.awaitClosed(changed, "a change of health")
	}
}

func testIdempotent(k *kit) {
	b := k.bus(UserA)
	t := amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: k.name("direct"), Kind: "direct"}},
		Queues: []amqpbus.Queue{
			{Name: k.name("plain")},
			{Name: k.name("shard"), SingleActiveConsumer: true, MaxLength: 10, MaxBytes: 1 << 20, DeadLetterTo: k.name("plain")},
			{Name: k.name("quorum"), Quorum: true, SingleActiveConsumer: true, MaxLength: 10, DeadLetterTo: k.name("plain")},
			{Name: k.name("dead"), MaxLength: 10, DropHead: true},
			{Name: k.name("reply"), Expires: time.Minute},
		},
		Bindings: []amqpbus.Binding{{Exchange: k.name("direct"), Queue: k.name("plain"), Key: "x"}},
	}
	k.declare(b, t)
	k.send(b, k.name("plain"), "kept")
	k.noError(b.Declare(k.ctx, t), "declare again")
	k.noError(k.bus(UserB).Declare(k.ctx, t), "declare by another user")
	k.expect(k.consumer(b, k.name("plain"), 1), "kept")
}

func testConflict(k *kit) {
	b := k.bus(UserA)
	first := amqpbus.Queue{Name: k.name("queue"), MaxLength: 10}
	k.queue(b, first)
	k.send(b, first.Name, "kept")
	other, third := first, first
	other.MaxLength = 11
	third.SingleActiveConsumer = true
	for _, q := range []amqpbus.Queue{other, third} {
		err := b.Declare(k.ctx, amqpbus.Topology{Queues: []amqpbus.Queue{q}})
		if err == nil || !strings.Contains(err.Error(), first.Name) {
			k.Errorf("declaring %+v over %+v: error %v, want one that names the queue", q, first, err)
		}
	}
	k.expect(k.consumer(b, first.Name, 1), "kept")
}

// testLayout declares an installation, and over it one of another layout: that
// is an error of its own, and nothing of the other is there afterwards.
func testLayout(k *kit) {
	b := k.bus(UserA)
	k.declare(b, amqpbus.SharedTopology(amqpbus.Layout{Shards: 1}))
	for _, other := range []amqpbus.Layout{{Shards: 2}, {Shards: 1, Quorum: true}} {
		k.wantError(b.Declare(k.ctx, amqpbus.SharedTopology(other)), amqpbus.ErrLayout, "declare another layout")
	}
	_, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: amqpbus.LeadQueue(2, 2), Prefetch: 1})
	k.wantError(err, amqpbus.ErrNoQueue, "consume from a queue of the other layout")
	k.noError(b.Declare(k.ctx, amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})), "declare again")
}

func testKindConflict(k *kit) {
	b := k.bus(UserA)
	x := k.name("exchange")
	k.declare(b, amqpbus.Topology{Exchanges: []amqpbus.Exchange{{Name: x, Kind: "direct"}}})
	err := b.Declare(k.ctx, amqpbus.Topology{Exchanges: []amqpbus.Exchange{{Name: x, Kind: "fanout"}}})
	if err == nil || !strings.Contains(err.Error(), x) {
		k.Errorf("declaring another kind: error %v, want one that names the exchange", err)
	}
}

// testReplyTopology runs Belfry's own topology, two gateways wide.
func testReplyTopology(k *kit) {
	b := k.bus(UserA)
	shared := amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})
	k.noError(b.Declare(k.ctx, amqpbus.Topology{Exchanges: shared.Exchanges}), "declare the exchanges")
	for _, l := range []amqpbus.Layout{{Shards: 1}, {Shards: 1, Quorum: true}} {
		one, two := protocol.GatewayID(k.name("one")), protocol.GatewayID(k.name("two"))
		k.declare(b, amqpbus.ReplyTopology(l, one))
		k.declare(b, amqpbus.ReplyTopology(l, two))
		k.confirmed(b,
			amqpbus.Message{Exchange: amqpbus.ExchangeReply, Key: string(one), Mandatory: true, Body: []byte("to one")},
			amqpbus.Message{Exchange: amqpbus.ExchangeReplyAll, Body: []byte("to all")},
			amqpbus.Message{Exchange: amqpbus.ExchangeReply, Key: string(two), Mandatory: true, Body: []byte("to two")})
		for id, want := range map[protocol.GatewayID][]string{one: {"to one", "to all"}, two: {"to all", "to two"}} {
			queue := amqpbus.ReplyQueue(string(id))
			con, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: queue, Exclusive: l.ExclusiveReplies(), Prefetch: 10})
			k.noError(err, "consume the reply queue")
			k.expect(con, want...)
			k.noError(con.Close(), "close")
			k.noError(b.Delete(k.ctx, queue), "delete it") // the next layout speaks to all that are there
		}
	}
}
