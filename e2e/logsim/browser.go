package logsim

import (
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

	owed map[place]*debt
	back map[int]eventlog.ClientCursor // where it came back with, until it is live there

	unread func() // takes back the last event, which was on its way when the connection broke
}

func (w *world) addClient() {
	c := &client{w: w, number: len(w.clients), resumes: len(w.clients)%3 != 0, owed: map[place]*debt{},
		since: map[int]eventlog.ClientCursor{}}
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
	c.member, c.held, c.back = map[string]bool{}, map[int]bool{}, map[int]eventlog.ClientCursor{}
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
	if !told {
		c.breakOff()
	}
	conn := c.conn
	c.gateway = nil
	delete(g.conns, conn)
	g.input(func() { g.machine.Close(conn); g.perform() })
	if !told {
		c.w.after(c.w.within(3*time.Second), c.come)
	}
}

// breakOff loses the last event, now and then: it has not come, of a pack perhaps alone.
func (c *client) breakOff() {
	if c.unread != nil && c.w.one(2) {
		c.unread()
	}
	c.unread = nil
}

// lost is a connection that ends with its gateway.
func (c *client) lost() {
	c.breakOff()
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
