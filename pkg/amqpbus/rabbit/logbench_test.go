package rabbit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/eventlog"
)

// BenchmarkLookBack is what a new leader of a log reads before it can go on: the
// entries among which it looks for copies. An operation opens a reader and reads them.
func BenchmarkLookBack(b *testing.B) {
	n := brokertest.Share(b)
	for _, size := range []int{200, 2_000, 20_000} {
		b.Run(fmt.Sprintf("%d bytes each", size), func(b *testing.B) {
			bus, err := Open(Options{URL: n.URL("guest"), Name: b.Name()})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = bus.Close(context.Background()) }()
			log := fmt.Sprintf("log.%d", size)
			fill(b, bus, log, strings.Repeat("x", size))
			b.SetBytes(int64(size * eventlog.LookBack))
			for b.Loop() {
				lookBack(b, bus, log)
			}
		})
	}
}

// fill declares a log and writes as many entries as a leader looks back.
func fill(b *testing.B, bus amqpbus.Bus, log, body string) {
	b.Helper()
	if err := bus.Declare(b.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: log, Stream: true}}}); err != nil {
		b.Fatal(err)
	}
	p, err := bus.OpenPublisher(b.Context(), 500)
	if err != nil {
		b.Fatal(err)
	}
	outcomes := make(chan error, eventlog.LookBack)
	for range eventlog.LookBack {
		m := amqpbus.Message{Key: log, Mandatory: true, Body: []byte(body)}
		if err := p.Publish(b.Context(), m, func(err error) { outcomes <- err }); err != nil {
			b.Fatal(err)
		}
	}
	for range eventlog.LookBack {
		if err := <-outcomes; err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
}

func lookBack(b *testing.B, bus amqpbus.Bus, log string) {
	b.Helper()
	r, err := bus.OpenLogReader(b.Context(), amqpbus.LogReaderOptions{Log: log})
	if err != nil {
		b.Fatal(err)
	}
	for left := eventlog.LookBack; left > 0; {
		got, err := r.Receive(b.Context(), left)
		if err != nil {
			b.Fatal(err)
		}
		left -= len(got)
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
