package emitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Emitter publishes events. All methods may be called concurrently.
type Emitter struct {
	options Options
	carrier carrier
	buffer  *buffer
	metrics *metrics
	quiet   quiet

	cancel context.CancelFunc // ends the courier
	ended  chan struct{}      // closed when the courier has ended

	closing  sync.Once
	closeErr error
	release  func(context.Context) error // closes the carrier; nil when it is the caller's
}

// start owns release only when it returns no error.
func start(c carrier, release func(context.Context) error, o Options) (*Emitter, error) {
	o, err := o.complete()
	var m *metrics
	if err == nil {
		m, err = newMetrics(o.Registerer)
	}
	if err != nil {
		err = fmt.Errorf("open the emitter: %w", err)
		if release != nil {
			ended, cancel := context.WithCancel(context.Background())
			cancel() // it has sent nothing and need not wait
			_ = release(ended)
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Emitter{
		options: o, carrier: c, buffer: newBuffer(o.Window), metrics: m, quiet: quiet{log: o.Logger},
		cancel: cancel, ended: make(chan struct{}), release: release,
	}
	courier := &courier{carrier: c, buffer: e.buffer, window: o.Window, sending: m.sending, confirmed: make(chan struct{}, 1)}
	go func() {
		defer close(e.ended)
		courier.run(ctx)
	}()
	return e, nil
}

// Emit publishes a payload to a group and waits for the broker's confirm, no
// longer than ctx and Options.Timeout. Its errors are ErrInvalid, ErrRefused,
// ErrUnroutable, ErrDenied, ErrUnknown (with ctx's) and ErrClosed. With Options.Quiet it
// always returns nil.
func (e *Emitter) Emit(ctx context.Context, group string, payload []byte) error {
	return e.EmitEvent(ctx, Event{Group: group, Payload: payload})
}

// EmitEvent is Emit for an event that may bring its own message id.
func (e *Emitter) EmitEvent(ctx context.Context, event Event) error {
	if problem := e.emit(ctx, []Event{event}); problem != nil {
		return fmt.Errorf("emit: %w", problem.Failures[0].Err)
	}
	return nil
}

// EmitBatch publishes events in their order without waiting for each confirm,
// then waits for all. The batch is checked whole before any of it is sent; an
// error is a *BatchError, and the events that it does not name are confirmed.
func (e *Emitter) EmitBatch(ctx context.Context, events []Event) error {
	if problem := e.emit(ctx, events); problem != nil {
		return fmt.Errorf("emit a batch: %w", problem)
	}
	return nil
}

// deadline is when an emit that begins now must be confirmed.
func (e *Emitter) deadline() time.Time {
	if e.options.Timeout < 0 {
		return time.Now().Add(100 * 365 * 24 * time.Hour)
	}
	return time.Now().Add(e.options.Timeout)
}

// emit returns nil when all is confirmed, or with Options.Quiet.
func (e *Emitter) emit(ctx context.Context, events []Event) *BatchError {
	deadline := e.deadline()
	b, problem := e.newBatch(ctx, events, deadline)
	if problem == nil {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		b.enter(ctx, e)
		if !e.options.Quiet {
			b.wait(ctx, e)
			problem = b.problem()
		}
	}
	if e.options.Quiet {
		return nil
	}
	return problem
}

// message is what the broker gets for an event.
func (e *Emitter) message(event Event, g protocol.Group) amqpbus.Message {
	m := amqpbus.Message{
		Exchange: amqpbus.ExchangeEmit, Key: event.Group, ID: event.ID,
		Expiration: e.options.Expiration, Persistent: e.options.Persistent, Mandatory: true,
		Body: bytes.Clone(event.Payload),
	}
	if m.ID == "" {
		m.ID = newID()
	}
	if n := e.options.Shards; n > 1 {
		m.Exchange, m.Key = amqpbus.EmitShards(n), amqpbus.ShardKey(protocol.ShardOf(g, n))
		m.Headers = map[string]string{amqpbus.HeaderGroup: event.Group}
	}
	return m
}

// Failed is how many events were not confirmed, for whatever reason.
func (e *Emitter) Failed() uint64 { return e.quiet.failed() }

// Pending is how many events are not settled.
func (e *Emitter) Pending() int { return e.buffer.len() }

// Health is the state of the connection to the broker, or of the door.
func (e *Emitter) Health() amqpbus.Health { return e.carrier.Health() }

// Close lets nothing more in, waits until what is pending is settled or ctx
// ends, and closes the connection, cutting it when ctx has ended. What is
// pending then fails with ErrClosed, and the error says how much that is. While
// the broker blocks publishers nothing can be settled, but it may end its alarm:
// give ctx a deadline. A second Close returns the same.
func (e *Emitter) Close(ctx context.Context) error {
	e.closing.Do(func() {
		e.buffer.close()
		select {
		case <-e.buffer.empty:
		case <-ctx.Done():
		}
		e.cancel()
		select {
		case <-e.ended:
		case <-ctx.Done(): // the courier may wait for the broker, until its link is cut
		}
		var problems []error
		if left := e.buffer.failAll(ErrClosed); left > 0 {
			problems = append(problems, fmt.Errorf("%d events were not confirmed: %w", left, ctx.Err()))
		}
		if e.release != nil {
			problems = append(problems, e.release(ctx))
			<-e.ended
		}
		if err := errors.Join(problems...); err != nil {
			e.closeErr = fmt.Errorf("close the emitter: %w", err)
		}
	})
	return e.closeErr
}
