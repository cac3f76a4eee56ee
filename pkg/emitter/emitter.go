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
	options   Options
	transport transport
	buffer    *buffer
	metrics   *metrics
	quiet     quiet

	cancel context.CancelFunc // stops the sender
	ended  chan struct{}      // closed when the sender has ended

	closing  sync.Once
	closeErr error
	release  func(context.Context) error // closes the transport; nil if the caller owns it
}

// start makes an emitter and starts its sender. On error it calls release itself.
func start(c transport, release func(context.Context) error, o Options) (*Emitter, error) {
	o, err := o.complete()
	var m *metrics
	if err == nil {
		m, err = newMetrics(o.Registerer)
	}
	if err != nil {
		err = fmt.Errorf("open the emitter: %w", err)
		if release != nil {
			ended, cancel := context.WithCancel(context.Background())
			cancel() // nothing was sent, so there is nothing to wait for
			_ = release(ended)
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Emitter{
		options: o, transport: c, buffer: newBuffer(o.Window), metrics: m, quiet: quiet{log: o.Logger},
		cancel: cancel, ended: make(chan struct{}), release: release,
	}
	sender := &sender{transport: c, buffer: e.buffer, window: o.Window, sending: m.sending, confirmed: make(chan struct{}, 1)}
	go func() {
		defer close(e.ended)
		sender.run(ctx)
	}()
	return e, nil
}

// Emit publishes a payload to a group and waits for the broker's confirm, until ctx ends
// or Options.Timeout is over. Its errors wrap ErrInvalid, ErrRefused, ErrUnroutable,
// ErrDenied, ErrUnknown (also with ctx's error) or ErrClosed. With Options.Quiet it always
// returns nil.
func (e *Emitter) Emit(ctx context.Context, group string, payload []byte) error {
	return e.EmitEvent(ctx, Event{Group: group, Payload: payload})
}

// EmitEvent is Emit for an event that may have its own message id and trace.
func (e *Emitter) EmitEvent(ctx context.Context, event Event) error {
	if problem := e.emit(ctx, []Event{event}); problem != nil {
		return fmt.Errorf("emit: %w", problem.Failures[0].Err)
	}
	return nil
}

// EmitBatch publishes events in order, without waiting for each confirm, then waits until
// all have an outcome. If any event is invalid, none is sent. An error wraps a *BatchError;
// unless events were invalid, those that it does not name are confirmed.
func (e *Emitter) EmitBatch(ctx context.Context, events []Event) error {
	if problem := e.emit(ctx, events); problem != nil {
		return fmt.Errorf("emit a batch: %w", problem)
	}
	return nil
}

// deadline returns the time by which an emit that begins now must be confirmed.
func (e *Emitter) deadline() time.Time {
	if e.options.Timeout < 0 {
		return time.Now().Add(100 * 365 * 24 * time.Hour)
	}
	return time.Now().Add(e.options.Timeout)
}

// emit returns nil if all events were confirmed, and always with Options.Quiet.
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

// message returns the message that is published for an event.
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
		m.Exchange, m.Key = amqpbus.EmitLogs(n), amqpbus.LogKey(n, protocol.ShardOf(g, n))
		m.Headers = map[string]string{amqpbus.HeaderGroup: event.Group}
	}
	return m
}

// Failed returns how many events were not confirmed, for whatever reason, since Open.
func (e *Emitter) Failed() uint64 { return e.quiet.failed() }

// Pending returns how many events are in the buffer.
func (e *Emitter) Pending() int { return e.buffer.len() }

// Health returns the state of the connection to the broker or to `belfry dev`.
func (e *Emitter) Health() amqpbus.Health { return e.transport.Health() }

// Close refuses further events, waits until the pending ones are settled or ctx ends, and
// closes the connection. Events that are still pending when ctx ends fail with ErrClosed,
// and the error says how many they are. While the broker blocks publishers, events stay
// pending, so give ctx a deadline. A second call returns the same error.
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
		case <-ctx.Done(): // the sender may wait for the broker, until its link is cut
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
