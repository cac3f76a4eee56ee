package emitter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// pending is an event (or an order to disconnect) whose outcome is not known yet.
type pending struct {
	msg      amqpbus.Message
	deadline time.Time   // it is not sent after this time
	report   func(error) // gets the outcome, once

	settled bool // guarded by buffer.mu: report was called
}

// buffer holds the pending events in the order in which they were emitted. It is safe for
// concurrent use.
type buffer struct {
	slots chan struct{} // holds one element per event in the buffer; its capacity is the window
	fresh chan struct{} // signals that waiting has grown
	empty chan struct{} // signals that the buffer has become empty after close

	mu      sync.Mutex
	closed  bool       // guarded by mu: enter refuses
	sent    []*pending // guarded by mu: sent through the current publisher, not confirmed
	waiting []*pending // guarded by mu: to be sent, or to be sent again
}

func newBuffer(window int) *buffer {
	return &buffer{slots: make(chan struct{}, window), fresh: make(chan struct{}, 1), empty: make(chan struct{}, 1)}
}

// enter appends an event for which the caller has acquired a slot. It reports false if
// the buffer is closed.
func (b *buffer) enter(p *pending) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.waiting = append(b.waiting, p)
	mark(b.fresh)
	return true
}

// next moves the first waiting event to sent and returns it, or nil if none waits. It
// removes events that were given up or whose deadline has passed.
func (b *buffer) next(now time.Time) *pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		p := b.waiting[0]
		b.waiting[0] = nil
		b.waiting = b.waiting[1:]
		if !p.settled && now.After(p.deadline) {
			b.settleLocked(p, ErrUnknown)
		}
		if p.settled {
			b.removedLocked()
			continue
		}
		b.sent = append(b.sent, p)
		return p
	}
	return nil
}

// settle removes a sent event from the buffer and reports its outcome.
func (b *buffer) settle(p *pending, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// It is usually the first, because confirms come in the order of publishing.
	i := slices.Index(b.sent, p)
	if i < 0 {
		return
	}
	b.sent = slices.Delete(b.sent, i, i+1)
	b.settleLocked(p, err)
	b.removedLocked()
}

// requeue moves the sent events back to the front of the waiting ones, and returns how
// many they are.
func (b *buffer) requeue() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	unconfirmed := len(b.sent)
	b.waiting = append(b.sent, b.waiting...)
	b.sent = nil
	return unconfirmed
}

// deny settles the sent events that the broker does not allow, if that is why it closed
// the channel. Sent again, they would close the next channel too, and block the others.
// The broker's reason names the exchange in apostrophes, or concerns every message.
func (b *buffer) deny(why error) {
	user := errors.Is(why, amqpbus.ErrUserID)
	if !user && !errors.Is(why, amqpbus.ErrPermission) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = slices.DeleteFunc(b.sent, func(p *pending) bool {
		if !user && !strings.Contains(why.Error(), "'"+p.msg.Exchange+"'") {
			return false
		}
		b.settleLocked(p, fmt.Errorf("%w: %w", ErrDenied, why))
		b.freeSlotLocked()
		return true
	})
	b.signalEmptyLocked()
}

// giveUp settles an event now, unless it is settled already. A waiting event is removed
// from the buffer. A sent one stays there until the broker confirms it or the publisher
// ends, and is not sent again.
func (b *buffer) giveUp(p *pending, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settleLocked(p, err)
	if i := slices.Index(b.waiting, p); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.removedLocked()
	}
}

// failAll settles all events with err, empties the buffer and returns how many were not
// settled before.
func (b *buffer) failAll(err error) (failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append(b.sent, b.waiting...)
	b.sent, b.waiting = nil, nil
	for _, p := range all {
		if !p.settled {
			failed++
			b.settleLocked(p, err)
		}
		b.removedLocked()
	}
	return failed
}

// close makes enter refuse further events.
func (b *buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if len(b.sent)+len(b.waiting) == 0 {
		mark(b.empty)
	}
}

func (b *buffer) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent) + len(b.waiting)
}

// settleLocked calls report unless it was called before. report must not block or use the
// buffer.
func (b *buffer) settleLocked(p *pending, err error) {
	if p.settled {
		return
	}
	p.settled = true
	p.report(err)
}

// removedLocked frees the slot of an event that was removed.
func (b *buffer) removedLocked() {
	b.freeSlotLocked()
	b.signalEmptyLocked()
}

func (b *buffer) freeSlotLocked() { <-b.slots }

// signalEmptyLocked signals Close if the buffer is closed and empty.
func (b *buffer) signalEmptyLocked() {
	if b.closed && len(b.sent)+len(b.waiting) == 0 {
		mark(b.empty)
	}
}

func mark(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
