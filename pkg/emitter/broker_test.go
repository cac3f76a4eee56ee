package emitter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/emitter"
)

// TestDeniedEventHasBrokersReason: an event that the user may not publish fails at once
// with the broker's reason, and other events do not fail with it.
func TestDeniedEventHasBrokersReason(t *testing.T) {
	n := brokertest.Share(t)
	if err := n.AddUser("emits", "^$", `^belfry\.emit$`, "^$"); err != nil {
		t.Fatal(err)
	}
	bus, err := rabbit.Open(rabbit.Options{URL: n.URL("guest"), Name: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Close(context.Background()) }()
	e, err := emitter.Open(emitter.Options{URL: n.URL("emits"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()

	err = e.Emit(t.Context(), "jobs-summary", []byte("1"))
	if !errors.Is(err, emitter.ErrUnroutable) || !strings.Contains(err.Error(), "no exchange 'belfry.emit'") {
		t.Errorf("before a worker has run: %v", err)
	}
	if err := bus.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})); err != nil {
		t.Fatal(err)
	}
	events := make(chan error, 20)
	for range cap(events) {
		go func() { events <- e.Emit(t.Context(), "jobs-summary", []byte("1")) }()
	}
	err = e.Disconnect(t.Context(), "7", "")
	if !errors.Is(err, emitter.ErrDenied) || errors.Is(err, emitter.ErrUnroutable) || !strings.Contains(err.Error(), "access to exchange 'belfry.disconnect'") {
		t.Errorf("an order that the user may not give: %v", err)
	}
	for range cap(events) {
		if err := <-events; err != nil {
			t.Errorf("an event beside it: %v", err)
		}
	}
}
