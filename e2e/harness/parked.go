package harness

import (
	"context"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
)

// Parked is a message in belfry.dead: why, and what is left of it.
type Parked struct{ Reason, Origin, Body string }

// Parked takes messages out of belfry.dead until those with the ids are there.
func (in *Installation) Parked(t testing.TB, ids ...string) []Parked {
	t.Helper()
	bus, err := rabbit.Open(rabbit.Options{URL: in.Broker.URL(), Name: "e2e-dead"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	defer func() { _ = bus.Close(ctx) }()
	dead, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: amqpbus.QueueDead, Prefetch: 100})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Parked{}
	for {
		out := make([]Parked, 0, len(ids))
		for _, id := range ids {
			if p, there := found[id]; there {
				out = append(out, p)
			}
		}
		if len(out) == len(ids) {
			return out
		}
		pack, err := dead.Receive(ctx, 100)
		if err != nil {
			t.Fatalf("%d of %d messages are in belfry.dead, waiting for more: %v", len(out), len(ids), err)
		}
		for _, d := range pack {
			found[d.ID] = Parked{d.Headers["reason"], d.Headers["origin"], string(d.Body)}
		}
		if err := dead.AckThrough(pack[len(pack)-1]); err != nil {
			t.Fatal(err)
		}
	}
}
