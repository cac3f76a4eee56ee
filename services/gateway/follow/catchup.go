package follow

import (
	"maps"
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// catchUp is a connection's way to a log's covered cursor.
type catchUp struct {
	reached eventlog.Position
	fp      eventlog.Fingerprint // of the entry reached
	proven  bool                 // a filling has shown that reached is a place of this log
	waited  time.Duration        // since it got further
}

// filling is a question to a worker that is on its way.
type filling struct {
	conn ConnID
	log  int
	age  time.Duration
}

// resume says where a connection with a cursor goes on in a log that it joins now.
func (g *Gateway) resume(c *conn, l *log, s eventlog.ClientCursor, gaps *[]*log) {
	switch {
	case s.Shards != g.o.Shards, s.Offset > l.covered.Offset, s.IsNone():
		*gaps = append(*gaps, l)
	case s.Offset == l.covered.Offset && s.FP != l.covered.FP:
		*gaps = append(*gaps, l)
	case s.Offset == l.covered.Offset && s.Index == eventlog.LastIndex:
		// It has everything.
	default:
		c.behind[l.number] = &catchUp{reached: s.Position(), fp: s.FP}
		l.catching[c.id] = true
		g.add(Hold{Conn: c.id, Log: l.number})
	}
}

// catchUp brings a connection as far as it goes now: from the window if that holds
// what is missing, else a worker is asked.
func (g *Gateway) catchUp(c *conn, l *log) {
	b := c.behind[l.number]
	if b == nil || !l.covers() || g.isFilling(c, l) {
		return
	}
	groups := map[protocol.Group]bool{}
	for _, group := range g.groupsIn(c, l) {
		groups[group] = true
	}
	if g.windowHolds(l, b, groups) {
		for _, k := range l.window.behind(b.reached) {
			if groups[k.event.Group] {
				g.add(DeliverTo{Conn: c.id, Log: l.number, Event: k.event})
			}
		}
		g.goLive(c, l, false)
		return
	}
	if b.proven && b.reached.Offset == l.covered.Offset && b.reached.Index == eventlog.LastIndex {
		g.goLive(c, l, false)
		return
	}
	if len(g.fills) >= maxFills {
		return
	}
	g.lastID++
	g.fills[g.lastID] = filling{conn: c.id, log: l.number}
	tags := make([]eventlog.Tag, 0, len(groups))
	for group := range groups {
		tags = append(tags, eventlog.TagOf(group))
	}
	slices.Sort(tags)
	g.add(Ask{Fill: eventlog.Fill{
		Log: l.number, Gateway: g.o.Gateway, ID: g.lastID, After: b.reached, FP: b.fp, To: l.covered, Tags: tags,
	}})
}

// windowHolds reports whether the window has every event of the groups behind the
// place that the connection has reached, and knows that place.
func (g *Gateway) windowHolds(l *log, b *catchUp, groups map[protocol.Group]bool) bool {
	if !l.window.whole(b.reached) {
		return false
	}
	for group := range groups {
		if i := l.groups[group]; i == nil || !i.active || b.reached.Before(i.begins()) {
			return false
		}
	}
	return b.proven || l.window.proves(b.reached.Offset, b.fp)
}

func (g *Gateway) isFilling(c *conn, l *log) bool {
	for _, f := range g.fills {
		if f.conn == c.id && f.log == l.number {
			return true
		}
	}
	return false
}

// filled takes a part of a filling, in order.
func (g *Gateway) filled(l *log, p *eventlog.Filled) {
	f, known := g.fills[p.ID]
	if !known || f.log != l.number || !l.covers() {
		return
	}
	c := g.conns[f.conn]
	b := c.behind[l.number]
	switch {
	case p.Gap:
		g.goLive(c, l, true)
	case p.From != b.reached: // one before it is missing, or it came twice
		return
	default:
		f.age, b.waited = 0, 0
		g.fills[p.ID] = f
		for i := range p.Events {
			if e := &p.Events[i]; c.groups[e.Group] {
				g.add(DeliverTo{Conn: c.id, Log: l.number, Event: e})
			}
		}
		b.reached, b.fp, b.proven = p.To, p.FP, true
		if !p.Done {
			return
		}
		delete(g.fills, p.ID)
		g.catchUp(c, l)
	}
	g.nextFills()
}

// nextFills lets those ask who waited for a place.
func (g *Gateway) nextFills() {
	for _, l := range g.logs {
		for _, id := range slices.Sorted(maps.Keys(l.catching)) {
			if len(g.fills) >= maxFills {
				return
			}
			g.catchUp(g.conns[id], l)
		}
	}
}

// tickFills asks again for what does not come: the worker may have died, or the broker
// may have lost a part. What takes too long all the same is a gap.
func (g *Gateway) tickFills(d time.Duration) {
	for _, id := range slices.Sorted(maps.Keys(g.fills)) {
		f, still := g.fills[id]
		if !still {
			continue
		}
		c, l := g.conns[f.conn], g.logs[f.log]
		b := c.behind[f.log]
		f.age += d
		g.fills[id] = f
		if l.noRoute <= heardLately { // a gateway that nothing reaches cannot tell
			b.waited += d
		}
		switch {
		case !l.covers(): // it ends with the log's own gap
		case b.waited >= fillWithin:
			g.goLive(c, l, true)
		case f.age >= partWithin:
			delete(g.fills, id)
			g.catchUp(c, l)
		}
	}
	g.nextFills()
}
