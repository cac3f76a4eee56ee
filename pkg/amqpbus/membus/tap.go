package membus

import (
	"fmt"
	"maps"
	"slices"

	"belfry/pkg/amqpbus"
)

// Tap is a consumer of a Core: messages are pushed into it up to its prefetch,
// TryReceive takes them out without waiting, Ack makes room. All methods may be
// called concurrently.
type Tap struct {
	core     *Core
	queue    *queue
	prefetch int
	excl     bool
	wake     func()

	// Guarded by core.mu.
	held  []*item // unacked, by tag; nil where acked alone
	base  uint64  // tag of held[0]
	next  uint64  // tag of the next to be received
	count int     // unacked in held
	err   error   // why it ended
}

// TapOptions says what to consume and how.
type TapOptions struct {
	Queue     string
	Exclusive bool
	Prefetch  int // 1 to 65,535
	// Wake, when set, is called when there is something to receive after
	// nothing, and at the end. It is called with the core's lock held: it must
	// neither block nor call the core.
	Wake func()
}

// Consume adds a tap to a queue. Its errors are ErrNoQueue and ErrInUse.
func (c *Core) Consume(o TapOptions) (*Tap, error) {
	if o.Prefetch < 1 || o.Prefetch > 65535 {
		return nil, fmt.Errorf("consume %q: prefetch %d is not within 1 to 65,535", o.Queue, o.Prefetch)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(o.Queue)
	if q == nil {
		return nil, fmt.Errorf("consume %q: %w", o.Queue, amqpbus.ErrNoQueue)
	}
	if q.log != nil {
		return nil, fmt.Errorf("consume %q: it is a log: open a log reader", o.Queue)
	}
	// A broker refuses an exclusive consumer of a single-active-consumer queue, too.
	taken := o.Exclusive && (len(q.taps) > 0 || q.args.SingleActiveConsumer)
	if taken || len(q.taps) > 0 && q.taps[0].excl {
		return nil, fmt.Errorf("consume %q: %w", o.Queue, amqpbus.ErrInUse)
	}
	t := &Tap{core: c, queue: q, prefetch: o.Prefetch, excl: o.Exclusive, wake: o.Wake, base: 1, next: 1}
	q.taps = append(q.taps, t)
	c.dispatchLocked(q)
	return t, nil
}

// TryReceive takes out what was pushed and not yet received, at most max,
// oldest first; nothing is no error. The error is why the tap ended.
func (t *Tap) TryReceive(max int) ([]amqpbus.Delivery, error) {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	if t.err != nil {
		return nil, t.err
	}
	n := min(max, t.waiting())
	if n <= 0 {
		return nil, nil
	}
	out := make([]amqpbus.Delivery, 0, n)
	for range n {
		out = append(out, delivery(t.held[t.next-t.base], t.next))
		t.next++
	}
	return out, nil
}

// Active reports whether the queue serves this tap: always, but for the
// followers of a single active consumer. AMQP tells consumers nothing of it.
func (t *Tap) Active() bool {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	return t.err == nil && (!t.queue.args.SingleActiveConsumer || t.queue.taps[0] == t)
}

// Ack settles one received delivery. A tag that is not outstanding ends the
// tap, as a broker closes the channel for it.
func (t *Tap) Ack(tag uint64) error { return t.ack(tag, tag) }

// AckThrough settles a received delivery and every one before it.
func (t *Tap) AckThrough(tag uint64) error { return t.ack(0, tag) }

func (t *Tap) ack(from, tag uint64) error {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	// The tag itself must be outstanding, for one or for many.
	if tag < t.base || tag >= t.next || t.held[tag-t.base] == nil {
		t.leaveLocked(fmt.Errorf("ack %d of queue %q: unknown delivery tag: %w", tag, t.queue.args.Name, amqpbus.ErrLinkLost))
		return t.err
	}
	for at := max(from, t.base); at <= tag; at++ {
		if t.held[at-t.base] != nil {
			t.held[at-t.base] = nil
			t.count--
		}
	}
	t.trim()
	t.core.dispatchLocked(t.queue)
	return nil
}

// trim forgets the acked front.
func (t *Tap) trim() {
	n := 0
	for n < len(t.held) && t.held[n] == nil {
		n++
	}
	t.held = t.held[n:]
	t.base += uint64(n)
}

// End ends the tap: what it holds goes back to its old places, marked
// redelivered, and the next tap is served. reason is what its methods return
// from now on; the first one stays.
func (t *Tap) End(reason error) {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	t.leaveLocked(reason)
}

func (t *Tap) leaveLocked(reason error) {
	if t.err != nil {
		return
	}
	q := t.queue
	q.taps = slices.DeleteFunc(q.taps, func(o *Tap) bool { return o == t })
	q.turn = 0
	var back []*item
	for _, i := range t.held {
		if i != nil {
			i.redelivered = true
			back = append(back, i)
		}
	}
	t.endLocked(reason)
	q.ready.putBack(back)
	t.core.unusedLocked(q)
	t.core.dispatchLocked(q)
}

func (t *Tap) endLocked(reason error) {
	t.err = reason
	t.held, t.count = nil, 0
	if t.wake != nil {
		t.wake()
	}
}

func (t *Tap) room() bool { return t.count < t.prefetch }

// waiting counts what was pushed and not received.
func (t *Tap) waiting() int { return int(t.base) + len(t.held) - int(t.next) }

func (t *Tap) hold(i *item) {
	t.held = append(t.held, i)
	t.count++
	if t.wake != nil && t.waiting() == 1 {
		t.wake()
	}
}

func delivery(i *item, tag uint64) amqpbus.Delivery {
	m := i.msg
	m.Headers = maps.Clone(m.Headers)
	d := amqpbus.Delivery{Message: m, UserID: i.userID, Redelivered: i.redelivered, Tag: tag}
	if i.dead != nil {
		dead := *i.dead
		d.Dead = &dead
	}
	return d
}
