package emitter

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"belfry/pkg/amqpbus"
)

// BatchError says which events of a batch were not confirmed. errors.Is and errors.As
// search the errors of all of them.
type BatchError struct {
	Total    int
	Failures []Failure // in the order of the batch; at least one
}

// Failure is the failure of one event.
type Failure struct {
	Index int // position in the batch, from 0
	Err   error
}

// Error describes the first failure. It shows no group and no payload.
func (b *BatchError) Error() string {
	first := b.Failures[0]
	return fmt.Sprintf("%d of %d events were not confirmed, the first of them number %d: %v", len(b.Failures), b.Total, first.Index, first.Err)
}

// Unwrap returns the errors of all failures.
func (b *BatchError) Unwrap() []error {
	out := make([]error, len(b.Failures))
	for i, f := range b.Failures {
		out[i] = f.Err
	}
	return out
}

// batch holds the events of one call of Emit, EmitBatch or Disconnect.
type batch struct {
	events []*pending
	errs   []error       // the outcomes, by index; may be read once done is closed
	open   atomic.Int64  // how many events are not settled
	done   chan struct{} // closed when all events are settled
}

// newBatch checks all events and makes their messages. If one is invalid, none is sent.
func (e *Emitter) newBatch(ctx context.Context, events []Event, deadline time.Time) (*batch, *BatchError) {
	b := &batch{events: make([]*pending, len(events)), errs: make([]error, len(events)), done: make(chan struct{})}
	b.open.Store(int64(len(events)))
	if len(events) == 0 {
		close(b.done)
	}
	var invalid []Failure
	for i, event := range events {
		g, err := event.check()
		if err != nil {
			invalid = append(invalid, Failure{i, err})
			continue
		}
		b.events[i] = &pending{msg: e.message(event, g), deadline: deadline, report: func(err error) { e.record(b, i, err) }}
	}
	if invalid == nil {
		e.trace(ctx, events, b)
		return b, nil
	}
	for range events {
		e.count(ErrInvalid)
	}
	return nil, &BatchError{Total: len(events), Failures: invalid}
}

// trace adds the traceparents of the events to their messages.
func (e *Emitter) trace(ctx context.Context, events []Event, b *batch) {
	for i, p := range b.events {
		text := events[i].Trace
		if text == "" && e.options.Trace != nil {
			var traced func(error)
			if text, traced = e.options.Trace(ctx, events[i].Group); traced != nil {
				report := p.report
				p.report = func(err error) { traced(err); report(err) }
			}
		}
		if text == "" {
			continue
		}
		if p.msg.Headers == nil {
			p.msg.Headers = make(map[string]string, 1)
		}
		p.msg.Headers[amqpbus.HeaderTrace] = text
	}
}

// record stores the outcome of event i. It is called once for each event, while the
// buffer's lock is held.
func (e *Emitter) record(b *batch, i int, err error) {
	e.count(err)
	b.errs[i] = err
	if b.open.Add(-1) == 0 {
		close(b.done)
	}
}

// enter puts the events into the buffer one by one, waiting for room for each.
func (b *batch) enter(ctx context.Context, e *Emitter) {
	for i, p := range b.events {
		if err := e.room(ctx); err != nil {
			b.rest(e, i, err)
			return
		}
		if !e.buffer.enter(p) {
			<-e.buffer.slots
			b.rest(e, i, ErrClosed)
			return
		}
	}
}

// rest settles the events from index i on, which are not in the buffer, with err.
func (b *batch) rest(e *Emitter, i int, err error) {
	for _, p := range b.events[i:] {
		e.buffer.giveUp(p, err)
	}
}

// room acquires a slot in the buffer, waiting until one is free. With Options.Quiet it
// fails instead of waiting while the broker is unavailable.
func (e *Emitter) room(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return e.unconfirmed(err)
	}
	select {
	case e.buffer.slots <- struct{}{}:
		return nil
	default:
	}
	for {
		changed := e.transport.Changed() // before Health, so that no change is missed
		if e.options.Quiet {
			if h := e.transport.Health(); !h.Connected || h.Blocked != "" {
				return e.unconfirmed(fmt.Errorf("the buffer is full, %d events wait for the broker", cap(e.buffer.slots)))
			}
		}
		select {
		case e.buffer.slots <- struct{}{}:
			return nil
		case <-changed:
		case <-e.ended:
			return ErrClosed
		case <-ctx.Done():
			return e.unconfirmed(ctx.Err())
		}
	}
}

// wait waits until all events are settled. If ctx ends first, it gives up the rest.
func (b *batch) wait(ctx context.Context, e *Emitter) {
	select {
	case <-b.done:
		return
	case <-ctx.Done():
	}
	err := e.unconfirmed(ctx.Err())
	for _, p := range b.events {
		e.buffer.giveUp(p, err)
	}
	<-b.done
}

// unconfirmed returns ErrUnknown with its cause and the state of the connection.
func (e *Emitter) unconfirmed(cause error) error {
	switch h := e.transport.Health(); {
	case h.Err != nil:
		return fmt.Errorf("%w: %w: %w", ErrUnknown, cause, h.Err)
	case h.Blocked != "":
		return fmt.Errorf("%w: %w: the broker blocks publishers (%s)", ErrUnknown, cause, h.Blocked)
	default:
		return fmt.Errorf("%w: %w", ErrUnknown, cause)
	}
}

// problem returns the failures, nil if all events were confirmed. All must be settled.
func (b *batch) problem() *BatchError {
	var failures []Failure
	for i, err := range b.errs {
		if err != nil {
			failures = append(failures, Failure{i, err})
		}
	}
	if failures == nil {
		return nil
	}
	return &BatchError{Total: len(b.errs), Failures: failures}
}
