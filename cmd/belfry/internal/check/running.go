package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// asBackend emits one event, to a group that no client watches.
func (e *examination) asBackend(ctx context.Context) {
	err := e.tries.Publish(ctx, amqpbus.Message{
		Exchange: amqpbus.ExchangeEmit, Key: "belfry-check", ID: protocol.NewIncarnation(),
		Expiration: 5 * time.Second, Body: []byte(`{"group_name": "belfry"}`),
	})
	switch {
	case errors.Is(err, amqpbus.ErrRefused):
		e.bad("emitting", fmt.Errorf("%w: are the workers running, and fast enough?", err))
	case errors.Is(err, amqpbus.ErrUnroutable):
		e.bad("emitting", fmt.Errorf("%w: no worker with this BELFRY_SHARDS has ever run on this broker", err))
	case err != nil:
		e.refused("emitting", err)
	default:
		e.good("emitting: an event to the group belfry-check was confirmed")
	}
}

// running reports from the queues' consumers which workers run. If there is no worker at
// all, it does not report the shards without one.
func (e *examination) running(ctx context.Context) {
	answering, err := e.probe.Queue(ctx, amqpbus.QueueQuestions)
	if err != nil {
		e.bad(aboutOf(err, "running"), fmt.Errorf("%w: a running worker declares it again", err))
	}
	idle := e.idle(ctx)
	logs := amqpbus.Logs(e.layout.Shards)
	switch {
	case idle == logs && answering.Consumers == 0:
		e.missing("no worker is running, so no client can connect: start one; questions waiting: %d", answering.Messages)
	default:
		if answering.Consumers > 0 {
			e.good("running: workers answering questions: %d, questions waiting: %d", answering.Consumers, answering.Messages)
		} else if err == nil {
			e.missing("no worker answers handshakes, though one routes events: see its log and its /health/ready")
		}
		if idle > 0 {
			e.missing("logs that no worker may lead: %d of %d; start a worker", idle, logs)
		} else {
			e.good("running: every log has a worker")
		}
	}
	if q, err := e.probe.Queue(ctx, amqpbus.QueueDead); err == nil && q.Messages > 0 {
		e.note("%d messages could not be decoded and are in %s, each with its reason: belfry dead shows them", q.Messages, amqpbus.QueueDead)
	}
}

// idle counts the logs that no worker may lead.
func (e *examination) idle(ctx context.Context) (idle int) {
	for log := range amqpbus.Logs(e.layout.Shards) {
		q, err := e.probe.Queue(ctx, amqpbus.LeadQueue(e.layout.Shards, log))
		if err != nil {
			e.bad(aboutOf(err, "topology"), err)
			continue
		}
		if q.Consumers == 0 {
			idle++
		}
	}
	return idle
}

// missing reports that something does not run, which is wrong unless nothingRuns is set.
func (e *examination) missing(format string, args ...any) {
	if e.nothingRuns {
		e.note("running: "+format, args...)
		return
	}
	e.bad("running", fmt.Errorf(format, args...))
}
