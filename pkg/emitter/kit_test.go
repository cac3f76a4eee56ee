package emitter_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokertest.Sharing{Tests: m}) }

// user is the broker user of the emitters under test. The tests' own buses use another
// user, so that a test can cut the emitter's link alone.
const user = "backend"

// installation declares what workers declare, on a broker in memory.
func installation(t testing.TB, shards int) (*membus.Broker, amqpbus.Bus) {
	t.Helper()
	broker := membus.New()
	bus := broker.Open("worker")
	t.Cleanup(func() { _ = bus.Close(context.Background()) })
	if err := bus.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: shards})); err != nil {
		t.Fatal(err)
	}
	return broker, bus
}

// over opens an emitter on the broker; it ends with the test.
func over(t testing.TB, broker *membus.Broker, o emitter.Options) *emitter.Emitter {
	t.Helper()
	bus := broker.Open(user)
	e, err := emitter.OverBus(bus, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // what a test leaves pending is meant to be
		_ = e.Close(ended)
		_ = bus.Close(context.Background())
	})
	return e
}

// receive reads n deliveries of a queue.
func receive(t testing.TB, bus amqpbus.Bus, queue string, n int) []amqpbus.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	var all []amqpbus.Delivery
	for len(all) < n {
		got, err := consumer.Receive(ctx, n-len(all))
		if err != nil {
			t.Fatalf("receive from %s after %d of %d: %v", queue, len(all), n, err)
		}
		all = append(all, got...)
		if err := consumer.AckThrough(got[len(got)-1]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// ready returns how many messages wait in a queue.
func ready(t testing.TB, broker *membus.Broker, queue string) int {
	t.Helper()
	n, _, ok := broker.Core().Depth(queue)
	if !ok {
		t.Fatalf("no queue %s", queue)
	}
	return n
}
