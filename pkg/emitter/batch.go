package emitter

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"belfry/pkg/amqpbus"
)

// BatchError says which events of a batch were not confirmed. errors.Is and
// errors.As look at each of their errors.
type BatchError struct {
	Total    int
	Failures []Failure // in the order of the batch; at least one
}

// Failure is one event's.
type Failure struct {
	Index int // in the batch, from 0
	Err   error
}

// Error tells the first failure; groups and payloads are not in it.
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

// batch is what one call emits.
type batch struct {
	events []*pending
	errs   []error // each written before the last settled closes done
	open   atomic.Int64
	done   chan struct{} // closed when all are settled
}

// newBatch checks all events and makes their messages.
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
		b.events[i] = &pending{msg: e.message(event, g), deadline: deadline, settled: func(err error) { e.settled(b, i, err) }}
	}
	if invalid == nil {
		e.trace(ctx, events, b)
		return b, nil
	}
	for range events { // none of them is sent
		e.count(ErrInvalid)
	}
	return nil, &BatchError{Total: len(events), Failures: invalid}
}

// trace lets the traces of the events travel with them.
func (e *Emitter) trace(ctx context.Context, events []Event, b *batch) {
	for i, p := range b.events {
		text := events[i].Trace
		if text == "" && e.options.Trace != nil {
			var told func(error)
			if text, told = e.options.Trace(ctx, events[i].Group); told != nil {
				settled := p.settled
				p.settled = func(err error) { told(err); settled(err) }
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

// settled is told each event's outcome once, under the buffer's lock.
func (e *Emitter) settled(b *batch, i int, err error) {
	e.count(err)
	b.errs[i] = err
	if b.open.Add(-1) == 0 {
		close(b.done)
	}
}

// enter brings the events into the buffer, each when there is room.
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

// rest settles the events from index i on, which did not enter the buffer.
func (b *batch) rest(e *Emitter, i int, err error) {
	for _, p := range b.events[i:] {
		e.buffer.giveUp(p, err)
	}
}

// room waits for a place in the buffer. Quiet does not wait for a broker that is
// away.
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
		changed := e.carrier.Changed() // before the look, so that no change is missed
		if e.options.Quiet {
			if h := e.carrier.Health(); !h.Connected || h.Blocked != "" {
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

// wait waits until all are settled; when ctx ends first, it gives up the rest.
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

// unconfirmed is ErrUnknown with its cause and the state of the connection.
func (e *Emitter) unconfirmed(cause error) error {
	switch h := e.carrier.Health(); {
	case h.Err != nil:
		return fmt.Errorf("%w: %w: %w", ErrUnknown, cause, h.Err)
	case h.Blocked != "":
		return fmt.Errorf("%w: %w: the broker blocks publishers (%s)", ErrUnknown, cause, h.Blocked)
	default:
		return fmt.Errorf("%w: %w", ErrUnknown, cause)
	}
}

// problem is nil when all are confirmed; all are settled.
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
