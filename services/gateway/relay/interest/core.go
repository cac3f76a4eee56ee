package interest

import (
	"container/list"
	"time"

	"belfry/pkg/protocol"
)

// Options configures a Core. Zero periods and bounds get the defaults.
type Options struct {
	Gateway protocol.GatewayID
	Shards  int
	Shard   int

	Linger     time.Duration // from the last member's leaving to the leave, 10 s
	Heartbeat  time.Duration // 5 s
	RetryLeast time.Duration // after a refusal, doubled at each further one, 250 ms
	RetryMost  time.Duration // 2 s
	Window     int           // messages that are not settled, 8
	MaxGroups  int           // groups in one message, 2,000
}

func (o Options) withDefaults() Options {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&o.Linger, 10*time.Second)
	or(&o.Heartbeat, 5*time.Second)
	or(&o.RetryLeast, 250*time.Millisecond)
	or(&o.RetryMost, 2*time.Second)
	o.Shards = max(o.Shards, 1)
	if o.Window == 0 {
		o.Window = 8
	}
	if o.MaxGroups == 0 {
		o.MaxGroups = 2000
	}
	return o
}

// Core is a gateway's interest in one shard.
type Core struct {
	o        Options
	groups   map[protocol.Group]*entry
	joins    list.List // joining, not cut
	leaves   list.List // leaving, not cut
	lingers  list.List // lingering, by deadline
	link     uint64
	up       bool // the link is there
	revision uint64
	count    int    // announced groups
	digest   uint64 // of the announced groups

	sent    []*message // not settled, by revision
	refused []*message // to be sent again at retryAt, by revision
	retryAt time.Time
	backoff time.Duration
	beatAt  time.Time

	tickets map[Ticket]*ticket
	last    Ticket
	bye     byeState
	out     []Effect
}

// entry is a group that is not absent.
type entry struct {
	group     protocol.Group
	state     State
	refs      int
	revision  uint64 // of the last message cut with it; 0: none
	announced bool   // that message joins it
	settled   bool   // that message was confirmed
	refused   bool   // that message waits to be sent again
	until     time.Time
	waiters   []Ticket

	place *list.Element // in the list of its state, when it waits there
	in    *list.List
}

// message is an Interest that was cut.
type message struct {
	revision    uint64
	join, leave []protocol.Group
}

// New returns a Core without a link.
func New(o Options) *Core {
	return &Core{
		o:       o.withDefaults(),
		groups:  map[protocol.Group]*entry{},
		tickets: map[Ticket]*ticket{},
	}
}

// NewLink says that a publisher is open. Links are counted from 1. Everything
// that is not settled is announced again, and a heartbeat follows it.
func (c *Core) NewLink(now time.Time, link uint64) {
	c.LinkLost()
	c.link, c.up, c.beatAt = link, true, now
}

// LinkLost says that the publisher has ended: what was not settled may or may
// not have been stored.
func (c *Core) LinkLost() {
	lost := append(c.sent, c.refused...)
	c.sent, c.refused, c.retryAt, c.backoff, c.up = nil, nil, time.Time{}, 0, false
	c.bye.lost()
	sortMessages(lost)
	for _, m := range lost {
		for _, g := range append(m.join, m.leave...) {
			if e := c.groups[g]; e != nil && e.revision == m.revision && !e.settled {
				e.refused = false
				c.againUnsettled(e)
			}
		}
	}
}

// againUnsettled queues what must be announced again on the next link.
func (c *Core) againUnsettled(e *entry) {
	switch {
	case e.place != nil: // waits already
	case e.state == Leaving:
		c.wait(e, &c.leaves)
	case e.state == Joining && e.refs > 0:
		c.wait(e, &c.joins)
	case e.state == Joining:
		c.move(e, Leaving)
		c.wait(e, &c.leaves)
	}
}

// move changes a state by the table. A move that it does not have is a fault of
// this package.
func (c *Core) move(e *entry, to State) {
	if !e.state.May(to) {
		panic("interest: no move from " + e.state.String() + " to " + to.String())
	}
	e.state = to
	if to != Absent {
		return
	}
	c.announce(e, false)
	c.unwait(e)
	delete(c.groups, e.group)
}

// announce keeps count and digest of what a worker's table must hold.
func (c *Core) announce(e *entry, announced bool) {
	if e.announced == announced {
		return
	}
	e.announced = announced
	c.digest ^= protocol.Digest(e.group)
	if announced {
		c.count++
	} else {
		c.count--
	}
}

func (c *Core) wait(e *entry, in *list.List) {
	c.unwait(e)
	e.in, e.place = in, in.PushBack(e)
}

func (c *Core) unwait(e *entry) {
	if e.place != nil {
		e.in.Remove(e.place)
		e.in, e.place = nil, nil
	}
}

// State is a group's state now.
func (c *Core) State(g protocol.Group) State {
	if e := c.groups[g]; e != nil {
		return e.state
	}
	return Absent
}

// Stats is what a Core holds now.
type Stats struct {
	Link      uint64 // 0: there was none yet
	Revision  uint64
	Announced int // groups that a worker's table must hold
	Waiting   int // changes that were not cut yet
	Unsettled int // messages that the broker has not confirmed
	Refused   int // of these, those it refused
}

// Stats returns what the Core holds now.
func (c *Core) Stats() Stats {
	return Stats{
		Link: c.link, Revision: c.revision, Announced: c.count,
		Waiting:   c.joins.Len() + c.leaves.Len(),
		Unsettled: len(c.sent) + len(c.refused), Refused: len(c.refused),
	}
}
