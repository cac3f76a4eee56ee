package confirm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const queue = "q"

func play(t *testing.T, test func(t *testing.T, broker *membus.Broker, bus amqpbus.Bus, p *Publisher)) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		bus := broker.Open("worker")
		err := bus.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: queue, MaxLength: 2}}})
		if err != nil {
			t.Fatal(err)
		}
		p := NewPublisher(bus)
		test(t, broker, bus, p)
		_ = p.Close()
		_ = bus.Close(context.Background())
	})
}

func messages(keys ...string) (out []amqpbus.Message) {
	for _, key := range keys {
		out = append(out, amqpbus.Message{Key: key, Mandatory: true})
	}
	return out
}

// TestEachMessageHasItsOutcome: one is stored, one has no queue, one meets a full queue.
func TestEachMessageHasItsOutcome(t *testing.T) {
	play(t, func(t *testing.T, _ *membus.Broker, _ amqpbus.Bus, p *Publisher) {
		got := p.SendAll(t.Context(), messages(queue, "nowhere", queue, queue))
		for i, want := range []error{nil, amqpbus.ErrUnroutable, nil, amqpbus.ErrRefused} {
			if !errors.Is(got[i], want) {
				t.Errorf("message %d: %v, want %v", i, got[i], want)
			}
		}
	})
}

// TestSendAfterLostLink: after the link was lost, the next message opens a new channel.
func TestSendAfterLostLink(t *testing.T) {
	play(t, func(t *testing.T, broker *membus.Broker, bus amqpbus.Bus, p *Publisher) {
		if err := p.Send(t.Context(), messages(queue)[0]); err != nil {
			t.Fatal(err)
		}
		broker.CutBus(bus)
		synctest.Wait()
		if err := p.Send(t.Context(), messages(queue)[0]); err != nil {
			t.Errorf("after a cut: %v", err)
		}
	})
}

// TestWaitingIsBounded: while the broker blocks publishers, the context ends the wait.
func TestWaitingIsBounded(t *testing.T) {
	play(t, func(t *testing.T, broker *membus.Broker, _ amqpbus.Bus, p *Publisher) {
		broker.Block("memory")
		for name, send := range map[string]func(context.Context, amqpbus.Message) error{"Send": p.Send, "Pack": p.Pack} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := send(ctx, messages(queue)[0]); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
		broker.Unblock()
	})
}

func TestNothingIsSentAfterClose(t *testing.T) {
	play(t, func(t *testing.T, _ *membus.Broker, _ amqpbus.Bus, p *Publisher) {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), messages(queue)[0]); !errors.Is(err, amqpbus.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
