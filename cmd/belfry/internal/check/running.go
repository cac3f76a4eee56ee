package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// asBackend emits one event, to a group that nobody watches.
func (e *examination) asBackend(ctx context.Context) {
	err := e.tries.Publish(ctx, amqpbus.Message{
		Exchange: amqpbus.ExchangeEmit, Key: "belfry-check", ID: protocol.NewIncarnation(),
		Expiration: 5 * time.Second, Body: []byte(`{"group_name": "belfry"}`),
	})
	switch {
	case errors.Is(err, amqpbus.ErrRefused):
		e.bad("emitting", fmt.Errorf("%w: are the workers running, and keeping up?", err))
	case errors.Is(err, amqpbus.ErrUnroutable):
		e.bad("emitting", fmt.Errorf("%w: no worker with this BELFRY_SHARDS has ever run on this broker", err))
	case err != nil:
		e.refused("emitting", err)
	default:
		e.good("emitting: an event to the group belfry-check was confirmed")
	}
}

// running tells what the queues say about who runs.
func (e *examination) running(ctx context.Context) {
	if q, err := e.probe.Queue(ctx, amqpbus.QueueSession); err == nil {
		if q.Consumers == 0 {
			e.note("running: no worker is running, so no client can connect: start one")
		} else {
			e.good("running: workers answering questions: %d, questions waiting: %d", q.Consumers, q.Messages)
		}
	}
	waiting, idle := 0, 0
	for shard := range e.layout.Shards {
		q, err := e.probe.Queue(ctx, amqpbus.ShardQueue(e.layout.Shards, shard))
		if err != nil {
			e.bad("topology", err)
			continue
		}
		waiting += q.Messages
		if q.Consumers == 0 {
			idle++
		}
	}
	if idle > 0 {
		e.note("running: shards without a worker: %d of %d, messages waiting: %d; start a worker", idle, e.layout.Shards, waiting)
	} else {
		e.good("running: every shard has a worker, messages waiting: %d", waiting)
	}
	if q, err := e.probe.Queue(ctx, amqpbus.QueueDead); err == nil && q.Messages > 0 {
		e.note("%d messages could not be decoded and are in %s, each with its reason: read and then purge them", q.Messages, amqpbus.QueueDead)
	}
}
