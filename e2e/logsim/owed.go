package logsim

import (
	"belfry/pkg/eventlog"
	"belfry/services/gateway/follow"
)

// place is a group of a client in one log.
type place struct {
	group string
	log   int
}

// debt is what a client is owed at a place: every event behind from.
type debt struct {
	from eventlog.Position
	last eventlog.Position // of what it has
	got  []int64           // offsets
}

func newDebt(from eventlog.ClientCursor) *debt {
	return &debt{from: from.Position(), last: from.Position()}
}

// allIn reports whether every group that it is owed in the log is one that it is a member of.
func (c *client) allIn(log int) bool {
	for p := range c.owed {
		if p.log == log && !c.member[p.group] {
			return false
		}
	}
	return true
}

// answered: from here on events are owed, or from where it said that it was.
func (c *client) answered(a follow.Answer) {
	c.w.counts.Answers++
	c.w.say("client %d answered %v at %v", c.number, a.Groups, a.At)
	member := map[string]bool{}
	for _, group := range a.Groups {
		member[string(group)] = true
	}
	for p := range c.owed {
		if !member[p.group] {
			delete(c.owed, p)
		}
	}
	for _, at := range a.At {
		for group := range member {
			if c.logHas(at.Log, group) && !c.member[group] {
				c.begin(place{group, at.Log}, at)
			}
		}
	}
	// The answer's cursors are all that it has from now on: one for a log in which it had
	// no groups would stand for groups that it has had since.
	clear(c.since)
	for _, at := range a.At {
		c.since[at.Log] = at
	}
	c.member, c.unread = member, nil
}

func (c *client) logHas(log int, group string) bool {
	return c.w.o.Shards == 1 || log == c.w.o.Shards || shardOf(group, c.w.o.Shards) == log
}

// begin: a debt that goes on from a cursor which the client had is not begun anew.
func (c *client) begin(p place, at eventlog.ClientCursor) {
	s, has := c.since[p.log]
	d := c.owed[p]
	resumes := c.resumes && has && len(c.member) == 0
	if resumes {
		c.back[p.log] = s
	}
	switch {
	case resumes && d != nil:
		c.w.counts.Resumed++
		if s.Position().Before(d.last) {
			c.w.broken("client %d resumed at %v, behind what it had: %v", c.number, s.Position(), d.last)
		}
	case resumes:
		c.owed[p] = newDebt(s)
	default:
		c.owed[p] = newDebt(at)
	}
}

func (c *client) receive(log int, e *eventlog.Event) {
	w, s := c.w, c.w.streams[log]
	w.counts.Delivered++
	w.say("client %d gets %s of %s at %d", c.number, e.Payload, e.Group, e.Offset)
	d, x := c.owed[place{string(e.Group), log}], s.at(e.Offset)
	switch {
	case !c.member[string(e.Group)] || d == nil:
		w.broken("client %d got %s of %s, which it is not a member of", c.number, e.Payload, e.Group)
		return
	case !d.last.Before(e.Position()):
		w.broken("client %d got %s at %v behind %v", c.number, e.Payload, e.Position(), d.last)
	case x != nil && x.says(e) && s.judge(x) == copied:
		w.broken("client %d got %s at %d, a copy of the entry %d", c.number, e.Payload, e.Offset, x.copyOf)
	case (x == nil || !x.says(e)) && !s.broken:
		w.broken("client %d got %s at %v, which does not stand there", c.number, e.Payload, e.Position())
	case x != nil && x.says(e):
		if missed := s.owed(string(e.Group), d.last, e.Position()); missed != nil {
			w.broken("client %d got %s at %d, and never %s at %d", c.number, e.Payload, e.Offset, missed.ID, missed.Offset)
		}
	}
	last, since := d.last, c.since[log]
	c.unread = func() { d.last, d.got, c.since[log] = last, d.got[:len(d.got)-1], since }
	d.got = append(d.got, e.Offset)
	d.last = e.Position()
	c.since[log] = eventlog.ClientCursor{Shards: w.o.Shards, Log: log, Index: e.Index, Cursor: eventlog.Cursor{Offset: e.Offset, FP: e.FP}}
	if !c.held[log] {
		delete(c.back, log)
	}
}

// gap: the client has loaded everything up to what the gateway covers. That must have been
// necessary: where its gateway was, or where it came back with, is not in the log
// any more.
func (c *client) gap(gap follow.Gap) {
	w, log := c.w, gap.At.Log
	s := w.streams[log]
	w.counts.Gaps++
	w.say("client %d is told of a gap of %v", c.number, gap.Groups)
	back, resumes := c.back[log]
	lost := s.broken && (!s.holds(c.gateway.covered[log]) || resumes && !s.holds(back.Cursor))
	if !lost && w.o.MaxLag == 0 {
		w.broken("client %d was told of a gap of %v for no reason: its gateway was at %v and the client at %v",
			c.number, gap.Groups, c.gateway.covered[log], c.since[log])
	}
	for _, group := range gap.Groups {
		c.owed[place{string(group), log}] = newDebt(gap.At)
	}
	c.since[log] = gap.At
	c.unread = nil
	delete(c.back, log)
}

// check compares what every client got with what the logs say that it is owed.
func (w *world) check() {
	for _, c := range w.clients {
		if c.gateway == nil || len(c.member) == 0 {
			w.broken("client %d has no groups at the end of a calm", c.number)
			return
		}
		for p, d := range c.owed {
			if c.held[p.log] {
				w.broken("client %d is still catching up", c.number)
				return
			}
			if missed := w.streams[p.log].owed(p.group, d.last, eventlog.Position{Offset: w.streams[p.log].next}); missed != nil {
				w.broken("client %d has %d events of %s in log %d behind %v, and never got %s at %d",
					c.number, len(d.got), p.group, p.log, d.from, missed.ID, missed.Offset)
				return
			}
		}
	}
	for _, g := range w.gateways {
		if g.dead {
			continue
		}
		for i, s := range w.streams {
			if at := g.machine.Covered(i); len(s.entries) > 0 && at.Offset < s.entries[max(len(s.entries)-3, 0)].Offset {
				w.broken("%s covers log %d up to %d of %d at the end of a calm", g.name, i, at.Offset, s.next)
			}
		}
	}
}
