package emitter_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

// An application opens one emitter when it starts and uses it until it stops. In production:
//
//	e, err := emitter.Open(emitter.Options{URL: "amqps://backend:secret@broker.example/"})
//
// These examples use a broker in memory, so that they run anywhere.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, stop := openExample(ctx)
	defer stop()

	err := e.Emit(ctx, "jobs-status_changed", []byte(`{"group_name": "jobs", "unified_job_id": 42, "status": "running"}`))
	fmt.Println(err) // nil: the broker has confirmed it
	// Output: <nil>
}

// EmitBatch sends many events and waits once. Its error lists those that failed.
func ExampleEmitter_EmitBatch() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, stop := openExample(ctx)
	defer stop()

	err := e.EmitBatch(ctx, []emitter.Event{
		{Group: "job_events-42", Payload: []byte(`{"counter": 1}`)},
		{Group: "no dash", Payload: []byte(`{"counter": 2}`)},
	})
	var failed *emitter.BatchError
	fmt.Println(errors.As(err, &failed), errors.Is(err, emitter.ErrInvalid))
	// Output: true true
}

// openExample opens an emitter over a broker in memory that has Belfry's queues.
func openExample(ctx context.Context) (*emitter.Emitter, func()) {
	bus := membus.New().Open("example")
	if err := bus.Declare(ctx, amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})); err != nil {
		panic(err)
	}
	e, err := emitter.OverBus(bus, emitter.Options{})
	if err != nil {
		panic(err)
	}
	return e, func() {
		if err := errors.Join(e.Close(ctx), bus.Close(ctx)); err != nil {
			panic(err)
		}
	}
}
