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

// pending is an event that is not settled.
type pending struct {
	msg      amqpbus.Message
	deadline time.Time // it is not sent after this
	settled  func(error)

	told bool // guarded by buffer.mu: settled was called
}

// buffer holds what is pending, in the order of emitting. It is safe for
// concurrent use.
type buffer struct {
	slots chan struct{} // one per event in the buffer; its capacity is the window
	fresh chan struct{} // marks that waiting grew
	empty chan struct{} // marks that the buffer became empty

	mu      sync.Mutex
	closed  bool       // guarded by mu: nothing enters any more
	sent    []*pending // guarded by mu: on the present link, not confirmed
	waiting []*pending // guarded by mu: not sent, or to be sent again
}

func newBuffer(window int) *buffer {
	return &buffer{slots: make(chan struct{}, window), fresh: make(chan struct{}, 1), empty: make(chan struct{}, 1)}
}

// enter appends an event whose slot the caller holds; false when it is closed.
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

// next takes the first event that waits and counts it as sent; nil when none
// waits. Events that were given up, or whose time is over, leave the buffer here.
func (b *buffer) next(now time.Time) *pending {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		p := b.waiting[0]
		b.waiting[0] = nil
		b.waiting = b.waiting[1:]
		if !p.told && now.After(p.deadline) {
			b.tellLocked(p, ErrUnknown)
		}
		if p.told {
			b.leaveLocked()
			continue
		}
		b.sent = append(b.sent, p)
		return p
	}
	return nil
}

// settle tells an event that was sent its outcome; it leaves the buffer.
func (b *buffer) settle(p *pending, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// The first, because confirms come in the order of publishing.
	i := slices.Index(b.sent, p)
	if i < 0 {
		return
	}
	b.sent = slices.Delete(b.sent, i, i+1)
	b.tellLocked(p, err)
	b.leaveLocked()
}

// again puts what was sent and not confirmed back before what waits, and
// returns how much that is.
func (b *buffer) again() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	unconfirmed := len(b.sent)
	b.waiting = append(b.sent, b.waiting...)
	b.sent = nil
	return unconfirmed
}

// deny settles what was sent and is not allowed, when the broker's reason for
// closing the channel says so: it would close the next one for it, and the others
// would wait behind it. The reason names the exchange in apostrophes, or concerns
// every message.
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
		b.tellLocked(p, fmt.Errorf("%w: %w", ErrDenied, why))
		b.freeLocked()
		return true
	})
	b.emptyLocked()
}

// giveUp tells an event its outcome now, unless it was told before. One that
// waits leaves the buffer; one that is under way keeps its place until its link
// ends or confirms it, and is not sent again.
func (b *buffer) giveUp(p *pending, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tellLocked(p, err)
	if i := slices.Index(b.waiting, p); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.leaveLocked()
	}
}

// failAll settles the whole buffer.
func (b *buffer) failAll(err error) (failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append(b.sent, b.waiting...)
	b.sent, b.waiting = nil, nil
	for _, p := range all {
		if !p.told {
			failed++
			b.tellLocked(p, err)
		}
		b.leaveLocked()
	}
	return failed
}

// close lets nothing enter any more.
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

// tellLocked calls settled once. settled must not block and not use the buffer.
func (b *buffer) tellLocked(p *pending, err error) {
	if p.told {
		return
	}
	p.told = true
	p.settled(err)
}

// leaveLocked frees the slot of an event that left.
func (b *buffer) leaveLocked() {
	b.freeLocked()
	b.emptyLocked()
}

func (b *buffer) freeLocked() { <-b.slots }

// emptyLocked tells Close that nothing is left.
func (b *buffer) emptyLocked() {
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
