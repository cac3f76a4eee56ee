package router

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

// TestQueueDeleted deletes the queue under two workers: gateways are told of a
// gap. They are told of none when the queue is new.
func TestQueueDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		for _, id := range []protocol.WorkerID{"one.x", "two.x"} {
			bus := broker.Open(workerUser)
			r, err := New(Options{Bus: bus, Worker: id, Shards: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = bus.Close(context.Background()) }()
			defer func() { _ = r.Stop(context.Background()) }()
		}
		bus := broker.Open(gatewayUser)
		defer func() { _ = bus.Close(context.Background()) }()
		queue := amqpbus.ReplyTopology(amqpbus.Layout{Shards: 1}, protocol.GatewayID("gw.x"))
		con, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.ReplyQueue("gw.x"), Declare: &queue, Prefetch: 100})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = con.Close() }()
		if got := gapsWithin(t, con, 10*time.Second); got != 0 {
			t.Errorf("%d gaps of a new queue", got)
		}
		if err := bus.Delete(t.Context(), amqpbus.ShardQueue(1, 0)); err != nil {
			t.Fatal(err)
		}
		if got := gapsWithin(t, con, 10*time.Second); got == 0 {
			t.Error("no gap of a queue that was deleted")
		}
	})
}

// gapsWithin counts the gaps of the whole shard that come in a while.
func gapsWithin(t *testing.T, con amqpbus.Consumer, while time.Duration) (gaps int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	for {
		pack, err := con.Receive(ctx, 100)
		if err != nil {
			return gaps
		}
		for _, d := range pack {
			if d.Type != protocol.TypeGap {
				continue
			}
			if g, err := protocol.Decode[protocol.Gap](d.Body); err != nil || g.Shard != 0 || len(g.Groups) > 0 {
				t.Errorf("the gap is %s, %v", d.Body, err)
			}
			gaps++
		}
		if err := con.AckThrough(pack[len(pack)-1]); err != nil {
			t.Fatal(err)
		}
	}
}
