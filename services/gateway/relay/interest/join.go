package interest

import (
	"slices"
	"time"

	"belfry/pkg/protocol"
)

// Ticket names a wait for groups to be routed here. 0 is none.
type Ticket uint64

type ticket struct {
	left int // groups that are not routed yet
	on   []*entry
}

// Join takes one reference to each group. It reports active when all of them
// are routed here already; otherwise the ticket is returned by Settled once
// they are. Who gives up calls Abandon, and Leave with the same groups.
func (c *Core) Join(groups []protocol.Group) (t Ticket, active bool) {
	t = c.last + 1
	waits := &ticket{}
	for _, g := range groups {
		e := c.take(g)
		doubled := len(e.waiters) > 0 && e.waiters[len(e.waiters)-1] == t
		if e.state.Active() || doubled {
			continue
		}
		e.waiters = append(e.waiters, t)
		waits.left++
		waits.on = append(waits.on, e)
	}
	if waits.left == 0 {
		return 0, true
	}
	c.last = t
	c.tickets[t] = waits
	return t, false
}

// take adds a reference and moves the group to where that leads.
func (c *Core) take(g protocol.Group) *entry {
	e := c.groups[g]
	if e == nil {
		e = &entry{group: g}
		c.groups[g] = e
	}
	e.refs++
	switch e.state {
	case Absent, Leaving:
		c.move(e, Joining)
		c.wait(e, &c.joins)
	case Lingering:
		c.move(e, Present)
		c.unwait(e)
	case Joining, Present:
	}
	return e
}

// Abandon forgets a ticket. One that is unknown or was returned is nothing.
func (c *Core) Abandon(t Ticket) {
	waits := c.tickets[t]
	if waits == nil {
		return
	}
	delete(c.tickets, t)
	for _, e := range waits.on {
		if at := slices.Index(e.waiters, t); at >= 0 {
			e.waiters = slices.Delete(e.waiters, at, at+1)
		}
	}
}

// Leave gives one reference to each group back. What has no references is
// nothing.
func (c *Core) Leave(now time.Time, groups []protocol.Group) {
	for _, g := range groups {
		e := c.groups[g]
		if e == nil || e.refs == 0 {
			continue
		}
		if e.refs--; e.refs == 0 {
			c.unwanted(now, e)
		}
	}
}

// unwanted is a group whose last reference was given back.
func (c *Core) unwanted(now time.Time, e *entry) {
	switch {
	case e.state == Present:
		c.move(e, Lingering)
		e.until = now.Add(c.o.Linger)
		c.wait(e, &c.lingers)
	case e.state != Joining:
		return
	case e.place != nil: // it was not cut
		c.unjoin(e)
	case e.refused: // it was not stored
		c.move(e, Absent)
	}
	// What is on its way lingers once it is confirmed.
}

// unjoin takes back a join that was not cut: there may be an earlier
// announcement in the way of absence.
func (c *Core) unjoin(e *entry) {
	if e.revision == 0 || e.settled && !e.announced {
		c.move(e, Absent)
		return
	}
	c.move(e, Leaving)
	c.wait(e, &c.leaves)
}

// routed gives the tickets that waited for this group alone.
func (c *Core) routed(e *entry, active []Ticket) []Ticket {
	for _, t := range e.waiters {
		waits := c.tickets[t]
		if waits == nil {
			continue
		}
		if waits.left--; waits.left == 0 {
			delete(c.tickets, t)
			active = append(active, t)
		}
	}
	e.waiters = nil
	return active
}
