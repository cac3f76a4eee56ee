package follow

import (
	"maps"
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// conn is a connection that has groups, or wants some.
type conn struct {
	id     ConnID
	groups map[protocol.Group]bool // it is a member of them
	want   map[protocol.Group]bool // nil: it waits for no answer
	since  []eventlog.ClientCursor // with its first set alone
	waited time.Duration
	prove  map[int]uint64   // for each log in which a cursor is ahead: the question where it ends
	behind map[int]*catchUp // the logs on which it is catching up
	queued *queued          // a set that came while it was catching up
}

type queued struct{ groups []protocol.Group }

// Open makes a connection known. It has no groups.
func (g *Gateway) Open(id ConnID) {
	g.conns[id] = &conn{id: id, groups: map[protocol.Group]bool{}, behind: map[int]*catchUp{}}
}

// Subscribe asks for exactly these groups, each of which the connection may see. It
// is answered by Answer or Unavailable, or taken over by the next Subscribe. since
// counts with a connection's first set, while it has no groups: one cursor for a log
// at most, and a log without one begins now.
func (g *Gateway) Subscribe(id ConnID, groups []protocol.Group, since []eventlog.ClientCursor) {
	c := g.conns[id]
	if len(c.behind) > 0 { // its events of the old set are on their way
		c.queued = &queued{groups}
		return
	}
	g.withdraw(c)
	c.want, c.waited, c.since, c.prove = map[protocol.Group]bool{}, 0, nil, map[int]uint64{}
	if len(c.groups) == 0 {
		c.since = since
	}
	for _, group := range groups {
		if c.want[group] {
			continue
		}
		c.want[group] = true
		if !c.groups[group] {
			g.each(group, func(l *log) { l.join(group) })
		}
	}
	g.asking = append(g.asking, id)
	g.tryAnswer(c)
}

// Close ends a connection.
func (g *Gateway) Close(id ConnID) {
	c := g.conns[id]
	g.withdraw(c)
	for group := range c.groups {
		g.each(group, func(l *log) { l.leave(group) })
	}
	for number := range c.behind {
		delete(g.logs[number].catching, id)
	}
	delete(g.conns, id)
	maps.DeleteFunc(g.fills, func(_ uint64, f filling) bool { return f.conn == id })
}

// withdraw takes back what the connection asks for.
func (g *Gateway) withdraw(c *conn) {
	for group := range c.want {
		if !c.groups[group] {
			g.each(group, func(l *log) { l.leave(group) })
		}
	}
	c.want = nil
	g.asking = slices.DeleteFunc(g.asking, func(id ConnID) bool { return id == c.id })
}

// tryAnswer answers if everything that the connection wants is active. A cursor that
// is ahead of what the gateway covers is waited for, and the leader is asked where the
// log ends: where a mark that is written now stands before the cursor, the log has lost
// its end, and the cursor is a gap.
func (g *Gateway) tryAnswer(c *conn) {
	if c.want == nil {
		return
	}
	logs := g.logsOfAll(c.want)
	for _, l := range logs {
		if !l.covers() { // it has no place there that it could be told
			return
		}
	}
	for group := range c.want {
		if c.groups[group] {
			continue
		}
		for _, l := range g.logsOf(group) {
			if !l.active(group) || !l.ready() {
				return
			}
		}
	}
	for _, s := range c.since {
		l := g.log(s.Log)
		if s.Shards != g.o.Shards || l == nil || !slices.Contains(logs, l) || s.Offset <= l.covered.Offset {
			continue
		}
		if c.prove[l.number] == 0 {
			l.prove++
			c.prove[l.number] = l.prove
			l.send(l.alive())
		}
		if lost := l.proved >= c.prove[l.number] && l.end <= s.Offset; !lost {
			return
		}
	}
	g.answer(c, logs)
}

func (g *Gateway) answer(c *conn, logs []*log) {
	for group := range c.groups {
		if !c.want[group] {
			g.each(group, func(l *log) { l.leave(group) })
		}
	}
	since := c.since
	c.groups, c.want, c.since = c.want, nil, nil
	g.asking = slices.DeleteFunc(g.asking, func(id ConnID) bool { return id == c.id })

	var gaps []*log
	for _, l := range logs {
		if s, has := cursorOf(since, l.number); has {
			g.resume(c, l, s, &gaps)
		}
	}
	at := make([]eventlog.ClientCursor, 0, len(logs))
	for _, l := range logs {
		place := g.Covered(l.number)
		if c.behind[l.number] != nil { // what it misses is on its way, and may never come
			place, _ = cursorOf(since, l.number)
		}
		at = append(at, place)
	}
	g.add(Answer{Conn: c.id, Groups: sorted(c.groups), At: at})
	for _, l := range gaps {
		g.gap(c, l)
	}
	for _, l := range logs {
		if c.behind[l.number] != nil {
			g.catchUp(c, l)
		}
	}
}

func cursorOf(since []eventlog.ClientCursor, log int) (eventlog.ClientCursor, bool) {
	for _, s := range since {
		if s.Log == log {
			return s, true
		}
	}
	return eventlog.ClientCursor{}, false
}

// tellGap tells every connection with an active group of the log that events may be
// missing; whoever was catching up on it goes on live.
func (g *Gateway) tellGap(l *log) {
	for _, id := range slices.Sorted(maps.Keys(g.conns)) {
		c := g.conns[id]
		if groups := g.groupsIn(c, l); len(groups) > 0 {
			g.goLive(c, l, true)
		}
	}
}

func (g *Gateway) gap(c *conn, l *log) {
	g.add(Gap{Conn: c.id, Groups: g.groupsIn(c, l), At: g.Covered(l.number)})
}

// goLive ends catching up, if the connection does, with or without a gap.
func (g *Gateway) goLive(c *conn, l *log, gap bool) {
	if gap {
		g.gap(c, l)
	}
	if c.behind[l.number] == nil {
		return
	}
	delete(c.behind, l.number)
	delete(l.catching, c.id)
	maps.DeleteFunc(g.fills, func(_ uint64, f filling) bool { return f.conn == c.id && f.log == l.number })
	g.add(Release{Conn: c.id, Log: l.number})
	if len(c.behind) == 0 && c.queued != nil {
		q := c.queued
		c.queued = nil
		g.Subscribe(c.id, q.groups, nil)
	}
}

func (g *Gateway) tickConns(d time.Duration) {
	for _, id := range slices.Clone(g.asking) {
		c := g.conns[id]
		if c.waited += d; c.waited < answerWithin {
			continue
		}
		g.withdraw(c)
		g.add(Unavailable{Conn: id})
	}
	g.tickFills(d)
}

func (g *Gateway) each(group protocol.Group, do func(*log)) {
	for _, l := range g.logsOf(group) {
		do(l)
	}
}

// logsOfAll are the logs of a set of groups, in their order.
func (g *Gateway) logsOfAll(groups map[protocol.Group]bool) []*log {
	used := map[int]bool{}
	for group := range groups {
		g.each(group, func(l *log) { used[l.number] = true })
	}
	var all []*log
	for _, number := range slices.Sorted(maps.Keys(used)) {
		all = append(all, g.logs[number])
	}
	return all
}

// groupsIn are the connection's groups whose events may stand in the log.
func (g *Gateway) groupsIn(c *conn, l *log) []protocol.Group {
	var all []protocol.Group
	for _, group := range sorted(c.groups) {
		if slices.Contains(g.logsOf(group), l) {
			all = append(all, group)
		}
	}
	return all
}

func sorted(groups map[protocol.Group]bool) []protocol.Group {
	return slices.Sorted(maps.Keys(groups))
}
