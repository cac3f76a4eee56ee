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
		e.bad("emitting", fmt.Errorf("%w: a worker with this BELFRY_SHARDS has never run here", err))
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
			e.note("running: no worker, nobody answers handshakes")
		} else {
			e.good("running: workers that answer: %d, questions that wait: %d", q.Consumers, q.Messages)
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
		e.note("running: shards without a worker: %d of %d, messages that wait: %d", idle, e.layout.Shards, waiting)
	} else {
		e.good("running: every shard has a worker, messages that wait: %d", waiting)
	}
	if q, err := e.probe.Queue(ctx, amqpbus.QueueDead); err == nil && q.Messages > 0 {
		e.note("messages that could not be understood: %d, in %s, each with its reason", q.Messages, amqpbus.QueueDead)
	}
}
