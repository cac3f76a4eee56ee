package interest

import (
	"slices"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Kind is what an Effect publishes.
type Kind uint8

// The kinds. The outcome of an Interest and of a Bye goes to Settled; the
// others may be lost.
const (
	KindInterest Kind = iota + 1
	KindHeartbeat
	KindBye
	KindSnapshot
)

// Effect is a message to be published, on the publisher of this link. Effects
// are published in order.
type Effect struct {
	Kind     Kind
	Link     uint64
	Revision uint64
	Message  amqpbus.Message
}

// Effects returns what is to be published now: messages that were refused and
// are due again, then waiting changes as far as the window lets them, then a
// heartbeat when it is due. The slice is valid until the next call.
func (c *Core) Effects(now time.Time) []Effect {
	c.out = c.out[:0]
	switch {
	case !c.up:
	case c.bye.wanted:
		c.sayBye()
	default:
		if !now.Before(c.retryAt) {
			c.resend()
			c.cut(now)
		}
		c.beat(now)
	}
	return c.out
}

// Next is when Effects will have something to do although nothing was put in;
// zero: never.
func (c *Core) Next() time.Time {
	if !c.up || c.bye.wanted {
		return time.Time{}
	}
	next := c.beatAt
	earlier := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	if len(c.refused) > 0 {
		earlier(c.retryAt)
	}
	if front := c.lingers.Front(); front != nil && len(c.sent) < c.o.Window && len(c.refused) == 0 {
		earlier(front.Value.(*entry).until)
	}
	return next
}

// resend sends what was refused once more, without the groups of which a newer
// revision says something else.
func (c *Core) resend() {
	for len(c.refused) > 0 && len(c.sent) < c.o.Window {
		m := c.refused[0]
		c.refused = c.refused[1:]
		m.join = c.stillIn(m, m.join, Joining)
		m.leave = c.stillIn(m, m.leave, Leaving)
		if len(m.join)+len(m.leave) == 0 && m.revision < c.revision {
			continue // superseded
		}
		c.send(m)
	}
}

func (c *Core) stillIn(m *message, groups []protocol.Group, state State) []protocol.Group {
	return slices.DeleteFunc(groups, func(g protocol.Group) bool {
		e := c.groups[g]
		if e == nil || e.revision != m.revision || e.state != state {
			return true
		}
		e.refused = false
		return false
	})
}

// cut makes messages of what waits, a revision each.
func (c *Core) cut(now time.Time) {
	for len(c.refused) == 0 && len(c.sent) < c.o.Window {
		m := &message{revision: c.revision + 1}
		for room := c.o.MaxGroups; room > 0 && c.cutOne(now, m); room-- {
		}
		if len(m.join)+len(m.leave) == 0 {
			return
		}
		c.revision = m.revision
		c.send(m)
	}
}

// cutOne adds one waiting change to m: joins first, because somebody waits.
func (c *Core) cutOne(now time.Time, m *message) bool {
	if front := c.joins.Front(); front != nil {
		e := front.Value.(*entry)
		c.mark(e, m.revision, true)
		m.join = append(m.join, e.group)
		return true
	}
	front := c.leaves.Front()
	if front == nil {
		front = c.lingers.Front()
		if front == nil || front.Value.(*entry).until.After(now) {
			return false
		}
		c.move(front.Value.(*entry), Leaving)
	}
	e := front.Value.(*entry)
	c.mark(e, m.revision, false)
	m.leave = append(m.leave, e.group)
	return true
}

func (c *Core) mark(e *entry, revision uint64, join bool) {
	c.unwait(e)
	e.revision, e.settled, e.refused = revision, false, false
	c.announce(e, join)
}

func (c *Core) send(m *message) {
	c.sent = append(c.sent, m)
	c.emit(KindInterest, m.revision, protocol.TypeInterest, protocol.Encode(protocol.Interest{
		Stamp: c.stamp(m.revision), Join: m.join, Leave: m.leave,
	}))
}

func (c *Core) beat(now time.Time) {
	if now.Before(c.beatAt) {
		return
	}
	c.beatAt = now.Add(c.o.Heartbeat)
	c.emit(KindHeartbeat, c.revision, protocol.TypeHeartbeat, protocol.Encode(protocol.Heartbeat{
		Stamp: c.stamp(c.revision), Count: c.count, Digest: c.digest,
	}))
}

func (c *Core) stamp(revision uint64) protocol.Stamp {
	return protocol.Stamp{Gateway: c.o.Gateway, Link: c.link, Revision: revision}
}

func (c *Core) emit(kind Kind, revision uint64, name string, body []byte) {
	c.out = append(c.out, Effect{Kind: kind, Link: c.link, Revision: revision, Message: amqpbus.Message{
		Exchange: amqpbus.InterestExchange(c.o.Shards), Key: amqpbus.ShardKey(c.o.Shard),
		Type: name, Mandatory: true, Body: body,
	}})
}
