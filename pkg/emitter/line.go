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

	told bool // guarded by line.mu: settled was called
}

// line holds what is pending, in the order of emitting. It is safe for
// concurrent use.
type line struct {
	slots chan struct{} // one per event in the line; its capacity is the window
	fresh chan struct{} // marks that waiting grew
	empty chan struct{} // marks that the line became empty

	mu      sync.Mutex
	closed  bool       // guarded by mu: nothing enters any more
	sent    []*pending // guarded by mu: on the present link, not confirmed
	waiting []*pending // guarded by mu: not sent, or to be sent again
}

func newLine(window int) *line {
	return &line{slots: make(chan struct{}, window), fresh: make(chan struct{}, 1), empty: make(chan struct{}, 1)}
}

// enter appends an event whose slot the caller holds; false when it is closed.
func (l *line) enter(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting = append(l.waiting, p)
	mark(l.fresh)
	return true
}

// next takes the first event that waits and counts it as sent; nil when none
// waits. Events that were given up, or whose time is over, leave the line here.
func (l *line) next(now time.Time) *pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 {
		p := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		if !p.told && now.After(p.deadline) {
			l.tellLocked(p, ErrUnknown)
		}
		if p.told {
			l.leaveLocked()
			continue
		}
		l.sent = append(l.sent, p)
		return p
	}
	return nil
}

// settle tells an event that was sent its outcome; it leaves the line.
func (l *line) settle(p *pending, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The first, because confirms come in the order of publishing.
	i := slices.Index(l.sent, p)
	if i < 0 {
		return
	}
	l.sent = slices.Delete(l.sent, i, i+1)
	l.tellLocked(p, err)
	l.leaveLocked()
}

// again puts what was sent and not confirmed back before what waits, and
// returns how much that is.
func (l *line) again() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	unconfirmed := len(l.sent)
	l.waiting = append(l.sent, l.waiting...)
	l.sent = nil
	return unconfirmed
}

// deny settles what was sent and is not allowed, when the broker's reason for
// closing the channel says so: it would close the next one for it, and the others
// would wait behind it. The reason names the exchange in apostrophes, or concerns
// every message.
func (l *line) deny(why error) {
	user := errors.Is(why, amqpbus.ErrUserID)
	if !user && !errors.Is(why, amqpbus.ErrPermission) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = slices.DeleteFunc(l.sent, func(p *pending) bool {
		if !user && !strings.Contains(why.Error(), "'"+p.msg.Exchange+"'") {
			return false
		}
		l.tellLocked(p, fmt.Errorf("%w: %w", ErrDenied, why))
		l.freeLocked()
		return true
	})
	l.emptyLocked()
}

// giveUp tells an event its outcome now, unless it was told before. One that
// waits leaves the line; one that is under way keeps its place until its link
// ends or confirms it, and is not sent again.
func (l *line) giveUp(p *pending, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellLocked(p, err)
	if i := slices.Index(l.waiting, p); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.leaveLocked()
	}
}

// failAll settles the whole line.
func (l *line) failAll(err error) (failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append(l.sent, l.waiting...)
	l.sent, l.waiting = nil, nil
	for _, p := range all {
		if !p.told {
			failed++
			l.tellLocked(p, err)
		}
		l.leaveLocked()
	}
	return failed
}

// close lets nothing enter any more.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if len(l.sent)+len(l.waiting) == 0 {
		mark(l.empty)
	}
}

func (l *line) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent) + len(l.waiting)
}

// tellLocked calls settled once. settled must not block and not use the line.
func (l *line) tellLocked(p *pending, err error) {
	if p.told {
		return
	}
	p.told = true
	p.settled(err)
}

// leaveLocked frees the slot of an event that left.
func (l *line) leaveLocked() {
	l.freeLocked()
	l.emptyLocked()
}

func (l *line) freeLocked() { <-l.slots }

// emptyLocked tells Close that nothing is left.
func (l *line) emptyLocked() {
	if l.closed && len(l.sent)+len(l.waiting) == 0 {
		mark(l.empty)
	}
}

func mark(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
