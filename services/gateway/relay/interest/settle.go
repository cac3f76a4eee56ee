package interest

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"belfry/pkg/amqpbus"
)

// Settled says what became of an effect, and returns the tickets whose groups
// are all routed now. An error of a lost link changes nothing, because LinkLost
// follows; any other counts as a refusal. Effects of earlier links are ignored.
func (c *Core) Settled(now time.Time, e Effect, err error) []Ticket {
	if e.Link != c.link || errors.Is(err, amqpbus.ErrLinkLost) || errors.Is(err, amqpbus.ErrClosed) {
		return nil
	}
	switch e.Kind {
	case KindBye:
		c.bye.settled(err)
	case KindInterest:
		at := slices.IndexFunc(c.sent, func(m *message) bool { return m.revision == e.Revision })
		if at < 0 {
			return nil
		}
		m := c.sent[at]
		c.sent = slices.Delete(c.sent, at, at+1)
		if err != nil {
			c.refuse(now, m)
			return nil
		}
		c.backoff = 0
		return c.settle(now, m)
	case KindHeartbeat, KindSnapshot:
	}
	return nil
}

// settle is a message that the broker has stored.
func (c *Core) settle(now time.Time, m *message) (active []Ticket) {
	for _, g := range m.join {
		e := c.groups[g]
		if e == nil || e.revision != m.revision || e.state != Joining {
			continue
		}
		e.settled = true
		active = c.routed(e, active)
		if e.refs > 0 {
			c.move(e, Present)
			continue
		}
		c.move(e, Lingering)
		e.until = now.Add(c.o.Linger)
		c.wait(e, &c.lingers)
	}
	for _, g := range m.leave {
		e := c.groups[g]
		if e == nil || e.revision != m.revision {
			continue
		}
		e.settled = true
		if e.state == Leaving {
			c.move(e, Absent)
		}
	}
	return active
}

// refuse is a message that the broker has not stored.
func (c *Core) refuse(now time.Time, m *message) {
	for _, g := range append(slices.Clone(m.join), m.leave...) {
		e := c.groups[g]
		switch {
		case e == nil || e.revision != m.revision:
		case e.state == Joining && e.place == nil && e.refs == 0:
			c.move(e, Absent)
		default:
			e.refused = true
		}
	}
	c.refused = append(c.refused, m)
	sortMessages(c.refused)
	c.backoff = min(max(2*c.backoff, c.o.RetryLeast), c.o.RetryMost)
	c.retryAt = now.Add(c.backoff)
}

func sortMessages(messages []*message) {
	slices.SortFunc(messages, func(a, b *message) int { return cmp.Compare(a.revision, b.revision) })
}
