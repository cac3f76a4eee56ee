package emitter_test

import (
	"context"
	"sync"
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
func receive(t testing.TB, bus amqpbus.Bus, log string, n int) []amqpbus.LogEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if log == amqpbus.QueueDisconnect {
		return receiveOrders(ctx, t, bus, n)
	}
	reader, err := bus.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: log, At: received.next(t, log)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	var all []amqpbus.LogEntry
	for len(all) < n {
		got, err := reader.Receive(ctx, n-len(all))
		if err != nil {
			t.Fatalf("receive from %s after %d of %d: %v", log, len(all), n, err)
		}
		all = append(all, got...)
		received.through(t, log, got[len(got)-1].Offset)
	}
	return all
}

// receiveOrders is receive for the queue of orders, which is no log.
func receiveOrders(ctx context.Context, t testing.TB, bus amqpbus.Bus, n int) []amqpbus.LogEntry {
	t.Helper()
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: amqpbus.QueueDisconnect, Prefetch: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	var all []amqpbus.LogEntry
	for len(all) < n {
		got, err := consumer.Receive(ctx, n-len(all))
		if err != nil {
			t.Fatalf("receive after %d of %d: %v", len(all), n, err)
		}
		for _, d := range got {
			all = append(all, amqpbus.LogEntry{Message: d.Message})
		}
		if err := consumer.AckThrough(got[len(got)-1]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// received remembers how far each test has read each log.
var received progress

type progress struct {
	mu   sync.Mutex
	read map[string]int64 // the next offset, by test and log
}

func (p *progress) next(t testing.TB, log string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read[t.Name()+log]
}

func (p *progress) through(t testing.TB, log string, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read == nil {
		p.read = map[string]int64{}
	}
	p.read[t.Name()+log] = offset + 1
}

// ready is how many entries of a log were not received yet.
func ready(t testing.TB, broker *membus.Broker, log string) int {
	t.Helper()
	if log == amqpbus.QueueDisconnect {
		n, _, _ := broker.Core().Depth(log)
		return n
	}
	n := 0
	for _, e := range broker.Core().LogEntries(log) {
		if e.Offset >= received.next(t, log) {
			n++
		}
	}
	return n
}
