package membus

import "time"

// Advance lets the time that has passed take effect: expired messages at the
// heads of queues die, unused queues go. It returns the earliest time at which
// something more will happen; the zero time when nothing will.
func (c *Core) Advance() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.next = time.Time{}
	// Dying messages may enter other queues of the list, with no expiration.
	for _, q := range append([]*queue(nil), c.queues...) {
		if q.unusedOver(now) {
			c.removeLocked(q)
			continue
		}
		c.dispatchLocked(q)
		if q.args.Expires > 0 && len(q.taps) == 0 {
			c.noteLocked(q.unused.Add(q.args.Expires))
		}
	}
	return c.next
}

// Restart is the broker's restart: transient messages are lost, the clocks of
// unused queues start anew, taps end with the reason given.
func (c *Core) Restart(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		for len(q.taps) > 0 {
			q.taps[0].leaveLocked(reason)
		}
		for q.log != nil && len(q.log.taps) > 0 {
			q.log.taps[0].endLocked(reason)
		}
		q.ready.keep(func(i *item) bool { return i.msg.Persistent })
		c.unusedLocked(q)
	}
}

// unusedLocked starts the clock of an unused queue anew.
func (c *Core) unusedLocked(q *queue) {
	q.unused = c.now()
	if q.args.Expires > 0 && len(q.taps) == 0 {
		c.noteLocked(q.unused.Add(q.args.Expires))
	}
}

// noteLocked remembers that something may happen at a time.
func (c *Core) noteLocked(at time.Time) {
	if !c.next.IsZero() && !at.Before(c.next) {
		return
	}
	c.next = at
	if c.arm != nil {
		c.arm(at)
	}
}
