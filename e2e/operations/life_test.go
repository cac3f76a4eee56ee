package operations

import (
	"context"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// follower is a service that consumes belfry.events.
type follower struct {
	bus   amqpbus.Bus
	con   amqpbus.Consumer
	seen  map[string]bool // message ids
	ready []amqpbus.Delivery
}

const followed = "some-service.connections"

// follow is a service on its link; bind once the exchange is there.
func follow(t *testing.T, bus amqpbus.Bus) *follower {
	t.Helper()
	return &follower{bus: bus, seen: map[string]bool{}}
}

func (f *follower) bind(t *testing.T) {
	t.Helper()
	err := f.bus.Declare(t.Context(), amqpbus.Topology{
		Queues:   []amqpbus.Queue{{Name: followed, MaxLength: 10_000}},
		Bindings: []amqpbus.Binding{{Exchange: amqpbus.ExchangeEvents, Queue: followed, Key: "#"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.con, err = f.bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: followed, Prefetch: 100}); err != nil {
		t.Fatal(err)
	}
}

// next waits for an event whose message id is new.
func (f *follower) next(within time.Duration) (amqpbus.Delivery, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		for len(f.ready) > 0 {
			d := f.ready[0]
			f.ready = f.ready[1:]
			if !f.seen[d.ID] {
				f.seen[d.ID] = true
				return d, true
			}
		}
		ds, err := f.con.Receive(ctx, 100)
		if err != nil {
			return amqpbus.Delivery{}, false
		}
		_ = f.con.AckThrough(ds[len(ds)-1])
		f.ready = ds
	}
}

// expect reads the next events, in order.
func (f *follower) expect(t *testing.T, keys ...string) []amqpbus.Delivery {
	t.Helper()
	var out []amqpbus.Delivery
	for _, key := range keys {
		d, ok := f.next(patience)
		if !ok || d.Key != key {
			t.Fatalf("got %q %s, want %s after %d events", d.Key, d.Body, key, len(out))
		}
		out = append(out, d)
	}
	return out
}

// TestLifeOfConnections: a service sees each connection opened, subscribed and
// closed, once, in this order; a gateway is lost only when it is dead, once; and
// no token is in any of it, nor in a log.
func TestLifeOfConnections(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, Env: []string{"BELFRY_LOG_LEVEL=debug", "BELFRY_DRAIN_NOTICE=0s"}})
	f := follow(t, open(t, in.Broker.URL()))
	f.bind(t)
	left := join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	if err := left.Leave(1000, patience); err != nil {
		t.Error(err)
	}
	events := f.expect(t, "connection.opened", "connection.subscribed", "connection.closed")
	dropped := join(t, in.Addr(0), harness.TokenUser, "job_events", "42")
	events = append(events, f.expect(t, "connection.opened", "connection.subscribed")...)
	dropped.Drop()
	events = append(events, f.expect(t, "connection.closed")...)
	for i, want := range []protocol.LifeReport{
		{Kind: protocol.LifeOpened}, {Kind: protocol.LifeSubscribed}, {Kind: protocol.LifeClosed, Code: 1000, Reason: "client"},
		{Kind: protocol.LifeOpened}, {Kind: protocol.LifeSubscribed}, {Kind: protocol.LifeClosed, Code: 0, Reason: "lost"},
	} {
		got, err := protocol.Decode[protocol.LifeReport](events[i].Body)
		if err != nil || got.Kind != want.Kind || want.Reason != "" && got.Reason != want.Reason || got.ID != events[i].ID {
			t.Errorf("event %d: got %s, want %+v", i+1, events[i].Body, want)
		}
	}
	// A gateway that is stopped goes in order: its connection is closed, and it
	// is not lost. One that is killed is lost, and only then.
	join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	f.expect(t, "connection.opened", "connection.subscribed")
	if status, err := in.Gateways[0].Terminate(patience); status != 0 || err != nil {
		t.Errorf("the gateway ended with status %d, %v", status, err)
	}
	f.expect(t, "connection.closed")
	join(t, in.Addr(1), harness.TokenAdmin, "jobs", "summary")
	f.expect(t, "connection.opened", "connection.subscribed")
	in.Gateways[1].Kill9()
	if d, ok := f.next(3 * time.Second); ok {
		t.Errorf("its queue is still there, and so is this: %s %s", d.Key, d.Body)
	}
	deleteReply(t, in.Broker, "gateway2") // which would outlive it by 60 s
	d, ok := f.next(40 * time.Second)
	if !ok || d.Key != "gateway.lost" || !strings.Contains(string(d.Body), "gateway2.") {
		t.Errorf("got %q %s, want gateway2 lost", d.Key, d.Body)
	}
	if d, ok := f.next(3 * time.Second); ok {
		t.Errorf("one more event: %s %s", d.Key, d.Body)
	}
	for _, p := range append(in.Gateways, in.Workers...) {
		for _, token := range []string{harness.TokenAdmin, harness.TokenUser} {
			if strings.Contains(p.Log(), token) {
				t.Errorf("a token is in the log of %s", p.Name)
			}
		}
	}
	for _, e := range events {
		if strings.Contains(string(e.Body), "token-of") {
			t.Errorf("a token is published: %s", e.Body)
		}
	}
}

// deleteReply deletes the reply queue of a dead process.
func deleteReply(t *testing.T, b *harness.Broker, name string) {
	t.Helper()
	for _, queue := range b.Queues(t) {
		if strings.HasPrefix(queue, amqpbus.ReplyQueue(name)+".") {
			b.DeleteQueue(t, queue)
			return
		}
	}
	t.Fatalf("%s has no reply queue", name)
}
