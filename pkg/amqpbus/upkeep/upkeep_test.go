package upkeep

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

var layout = amqpbus.Layout{Shards: 2}

const gateway = protocol.GatewayID("g.1")

// there reports whether a queue exists.
func there(t *testing.T, broker *membus.Broker, queue string) bool {
	t.Helper()
	return broker.Core().Exists(queue)
}

// TestDeletedQueuesAreDeclaredAgain, and what a consumer watches is left to it.
func TestDeletedQueuesAreDeclaredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		bus := broker.Open("any")
		defer func() { _ = bus.Close(context.Background()) }()
		for _, topology := range []amqpbus.Topology{amqpbus.SharedTopology(layout), amqpbus.ReplyTopology(layout, gateway)} {
			if err := bus.Declare(t.Context(), topology); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		looks := make(chan error, 100)
		u := New(Options{Bus: bus, Topology: Of(layout, gateway), Looked: func(err error) { looks <- err }})
		go func() { ended <- u.Run(ctx) }()

		unwatched := []string{amqpbus.QueueQuestions, amqpbus.QueueDisconnect, amqpbus.QueueDead, amqpbus.QueueLayout}
		watched := []string{amqpbus.LogQueue(2, 0), amqpbus.LogQueue(2, 2), amqpbus.LeadQueue(2, 0), amqpbus.ReplyQueue(string(gateway))}
		for _, queue := range append(watched, unwatched...) {
			if err := bus.Delete(ctx, queue); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			if err := <-looks; err != nil {
				t.Error(err)
			}
		}
		for _, queue := range unwatched {
			if !there(t, broker, queue) {
				t.Errorf("%s is missing", queue)
			}
		}
		for _, queue := range watched {
			if there(t, broker, queue) {
				t.Errorf("%s was declared", queue)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestLooksAreFew: however often somebody asks, and no two processes in step.
func TestLooksAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		bus := broker.Open("any")
		defer func() { _ = bus.Close(context.Background()) }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		looks := 0
		u := New(Options{Bus: bus, Topology: Of(layout, gateway), Looked: func(error) { looks++ }})
		_ = u.Run(ctx)
		if looks < 20 || looks > 60 {
			t.Errorf("%d looks in 10 minutes", looks)
		}
		looks = 0
		asked, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		u = New(Options{Bus: bus, Topology: Of(layout, gateway), Looked: func(error) { looks++; u.Soon() }})
		u.Soon()
		_ = u.Run(asked)
		if looks < 9 || looks > 11 {
			t.Errorf("%d looks in 10 s, although asked for all the time", looks)
		}
	})
}

// TestSameErrorIsLoggedOnce: another installation's layout stands in the way.
func TestSameErrorIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		bus := broker.Open("any")
		defer func() { _ = bus.Close(context.Background()) }()
		if err := bus.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: 3})); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.DebugLevel)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		failed := 0
		u := New(Options{Bus: bus, Topology: Of(layout, gateway), Logger: zap.New(core), Looked: func(err error) {
			if errors.Is(err, amqpbus.ErrLayout) {
				failed++
			}
		}})
		_ = u.Run(ctx)
		if failed < 5 || logs.Len() != 1 || logs.All()[0].Level != zap.WarnLevel {
			t.Errorf("%d looks failed, the log says %v", failed, logs.All())
		}
	})
}
