package amqpbus_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// TestWaitForHeldQueueIsBounded: after 30 s the holder is no old link of
// this process.
func TestWaitForHeldQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		one, two := broker.Open("one"), broker.Open("two")
		o := amqpbus.ConsumerOptions{
			Queue: "q", Exclusive: true, Prefetch: 1,
			Declare: &amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "q"}}},
		}
		if _, err := one.OpenConsumer(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := two.OpenConsumer(t.Context(), o)
		if took := time.Since(began); !errors.Is(err, amqpbus.ErrInUse) || took < 30*time.Second || took > 31*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		for _, bus := range []amqpbus.Bus{one, two} {
			if err := bus.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
