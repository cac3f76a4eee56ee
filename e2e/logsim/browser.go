package logsim

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/gateway/follow"
)

// client is a browser: it has some groups, changes them, goes away, and comes back to
// any gateway with what it has.
type client struct {
	w       *world
	number  int
	gateway *gateway
	conn    follow.ConnID
	resumes bool // it keeps cursors, and comes back with them

	want   []string
	member map[string]bool
	held   map[int]bool
	since  map[int]eventlog.ClientCursor

	// What it is owed: for each group and log, everything behind a position.
	owed map[place]*debt
}

type place struct {
	group string
	log   int
}

// debt is a group of a client in one log: everything behind from is owed to it.
type debt struct {
	from eventlog.Position
	got  []string
	last eventlog.Position
}

func (w *world) addClient() {
	c := &client{w: w, number: len(w.clients), resumes: len(w.clients)%3 != 0, owed: map[place]*debt{}, since: map[int]eventlog.ClientCursor{}}
	c.choose()
	w.clients = append(w.clients, c)
	w.after(w.within(3*time.Second), c.come)
	w.after(w.within(10*time.Second), c.act)
}

func (c *client) choose() {
	c.want = nil
	for i := range groupCount {
		if c.w.one(2) {
			c.want = append(c.want, groupName(i))
		}
	}
	if len(c.want) == 0 {
		c.want = []string{groupName(c.w.r.IntN(groupCount))}
	}
}

// come connects to some gateway.
func (c *client) come() {
	if c.gateway != nil {
		return
	}
	g := c.w.anyGateway()
	if g.frozen || c.w.down {
		c.w.after(time.Second, c.come)
		return
	}
	c.w.serial++
	c.gateway, c.conn = g, follow.ConnID(c.w.serial)
	c.member, c.held = map[string]bool{}, map[int]bool{}
	g.conns[c.conn] = c
	g.machine.Open(c.conn)
	c.subscribe()
}

func (c *client) subscribe() {
	g := c.gateway
	groups := make([]protocol.Group, len(c.want))
	for i, name := range c.want {
		groups[i] = protocol.Group(name)
	}
	var since []eventlog.ClientCursor
	if c.resumes && len(c.member) == 0 {
		for log := range c.w.streams {
			if s, has := c.since[log]; has {
				since = append(since, s)
			}
		}
	}
	c.w.say("client %d at %s wants %v since %v", c.number, g.name, c.want, since)
	conn := c.conn
	g.input(func() {
		if g.conns[conn] == c && c.gateway == g {
			g.machine.Subscribe(conn, groups, since)
			g.perform()
		}
	})
}

// act changes the groups, or goes away, now and then.
func (c *client) act() {
	c.w.after(2*time.Second+c.w.within(20*time.Second), c.act)
	if c.w.calm || c.gateway == nil || c.gateway.frozen {
		return
	}
	switch c.w.r.IntN(4) {
	case 0:
		c.choose()
		c.subscribe()
	case 1, 2:
		c.leave(true)
		c.w.after(c.w.within(5*time.Second), c.come)
	}
}

// leave closes the connection. Where it is told, the client knows how far it was.
func (c *client) leave(told bool) {
	g := c.gateway
	if g == nil {
		return
	}
	if told && c.resumes {
		for log := range c.w.streams {
			if at := g.machine.Covered(log); !c.held[log] && !at.IsNone() && len(c.member) > 0 && c.allIn(log) {
				c.since[log] = at
			}
		}
	}
	conn := c.conn
	c.gateway = nil
	delete(g.conns, conn)
	g.input(func() { g.machine.Close(conn); g.perform() })
	if !told {
		c.w.after(c.w.within(3*time.Second), c.come)
	}
}

// allIn reports whether every group that it owes in the log is one that it is a member of.
func (c *client) allIn(log int) bool {
	for p := range c.owed {
		if p.log == log && !c.member[p.group] {
			return false
		}
	}
	return true
}

// lost is a connection that ends with its gateway.
func (c *client) lost() {
	delete(c.gateway.conns, c.conn)
	c.gateway = nil
	c.w.after(c.w.within(3*time.Second), c.come)
}

func (c *client) unavailable() {
	c.w.say("client %d: unavailable", c.number)
	if len(c.member) == 0 {
		c.leave(false)
	}
}

// answered: from here on events are owed, or from where it said that it was.
func (c *client) answered(g *gateway, a follow.Answer) {
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
				c.begin(place{group, at.Log}, at, g)
			}
		}
	}
	for _, at := range a.At {
		if s, has := c.since[at.Log]; !has || s.Position().Before(at.Position()) {
			c.since[at.Log] = at
		}
	}
	c.member = member
}

func (c *client) logHas(log int, group string) bool {
	return c.w.o.Shards == 1 || log == c.w.o.Shards || shardOf(group, c.w.o.Shards) == log
}

// begin: a debt that goes on from a cursor which the client had is not begun anew.
func (c *client) begin(p place, at eventlog.ClientCursor, g *gateway) {
	s, has := c.since[p.log]
	d := c.owed[p]
	if c.resumes && has && len(c.member) == 0 && d != nil {
		c.w.counts.Resumed++
		if s.Position().Before(d.last) {
			c.w.broken("client %d resumed at %v, behind what it had: %v", c.number, s.Position(), d.last)
		}
		return
	}
	from := at
	if c.resumes && has && len(c.member) == 0 {
		from = s
	}
	c.owed[p] = &debt{from: from.Position(), last: from.Position()}
}

func (c *client) receive(log int, e *eventlog.Event) {
	w := c.w
	w.counts.Delivered++
	w.say("client %d gets %s of %s at %d", c.number, e.Payload, e.Group, e.Offset)
	d := c.owed[place{string(e.Group), log}]
	switch {
	case !c.member[string(e.Group)] || d == nil:
		w.broken("client %d got %s of %s, which it is not a member of", c.number, e.Payload, e.Group)
	case slices.Contains(d.got, string(e.Payload)):
		w.broken("client %d got %s twice", c.number, e.Payload)
	case !d.last.Before(e.Position()):
		w.broken("client %d got %s at %v behind %v", c.number, e.Payload, e.Position(), d.last)
	default:
		d.got = append(d.got, string(e.Payload))
		d.last = e.Position()
		c.since[log] = eventlog.ClientCursor{Shards: w.o.Shards, Log: log, Index: e.Index, Cursor: eventlog.Cursor{Offset: e.Offset, FP: e.FP}}
	}
}

// gap: the client has loaded everything up to what the gateway covers.
func (c *client) gap(gap follow.Gap) {
	w := c.w
	w.counts.Gaps++
	w.say("client %d is told of a gap of %v", c.number, gap.Groups)
	if w.now > w.excused {
		w.broken("client %d was told of a gap of %v for no reason", c.number, gap.Groups)
	}
	for _, group := range gap.Groups {
		c.owed[place{string(group), gap.At.Log}] = &debt{from: gap.At.Position(), last: gap.At.Position()}
	}
	c.since[gap.At.Log] = gap.At
}

func first(ids []string) string {
	if len(ids) == 0 {
		return "nothing"
	}
	return ids[0]
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
			var want []string
			for _, e := range w.streams[p.log].truth() {
				at := eventlog.Position{Offset: e.Offset, Index: eventlog.LastIndex}
				if e.Key == p.group && d.from.Before(at) {
					want = append(want, e.ID)
				}
			}
			got := d.got
			if !slices.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				w.broken("client %d is owed %d events of %s in log %d behind %v and got %d; they differ from number %d on: %v, not %v",
					c.number, len(want), p.group, p.log, d.from, len(d.got), i, first(got[i:]), first(want[i:]))
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
