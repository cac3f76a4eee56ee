package logmodel

func (s *state) table(g int) (bits uint8) {
	for i, x := range s.gateways[g].groups {
		if x.standing != absent {
			bits |= 1 << i
		}
	}
	return bits
}

// hello begins a feed.
func (s *state) hello(g int, withSnapshot bool) {
	x := &s.gateways[g]
	x.feed++
	if x.leader < 0 {
		return
	}
	way := &s.up[g][x.leader]
	way.push(message{kind: hello, incarnation: x.incarnation, feed: x.feed, to: x.covered})
	if withSnapshot {
		way.push(s.snapshot(g))
	}
}

func (s *state) snapshot(g int) message {
	x := &s.gateways[g]
	return message{kind: snapshot, incarnation: x.incarnation, rev: x.rev, table: s.table(g)}
}

// change says what every group that changed since the applied revision is now.
func (s *state) change(g int) {
	x := &s.gateways[g]
	if x.leader < 0 {
		return
	}
	m := message{kind: change, incarnation: x.incarnation, base: x.applied, rev: x.rev, table: s.table(g)}
	for i := range x.groups {
		if x.groups[i].changed > x.applied {
			m.changed |= 1 << i
		}
	}
	s.up[g][x.leader].push(m)
}

func (s *state) join(g, group int) {
	x := &s.gateways[g]
	if i := &x.groups[group]; i.standing == absent {
		x.rev++
		i.standing, i.changed = joining, x.rev
		s.change(g)
	}
}

func (s *state) leaveGroup(g, group int) {
	x := &s.gateways[g]
	x.rev++
	x.groups[group] = interest{standing: absent, changed: x.rev, since: none}
	s.change(g)
}

func (m *model) gatewayTakes(s *state, g, w int, x message) {
	y := &s.gateways[g]
	if x.kind == claim {
		if y.leader < 0 || x.term > y.term || x.term == y.term && int8(w) >= y.leader {
			y.leader, y.term = int8(w), x.term
			s.hello(g, true)
		}
		return
	}
	if x.incarnation != y.incarnation && m.planted != noIncarnation || x.feed != y.feed && m.planted != noFeed {
		return
	}
	switch x.kind {
	case reset:
		if x.to != y.covered && m.planted != anyReset { // what was sent since then is lost
			s.hello(g, false)
			return
		}
		if s.holds(y.covered) {
			broken("gateway %d is reset, and the log holds what it covers: %v", g, y.covered)
		}
		y.covered, y.owesGap = nowhere, true
		s.windows[g], y.window = 0, none
		if m.planted == gapAtReset {
			s.tellGap(g)
			y.owesGap = false
		}
		if m.planted == sameFeed {
			y.feed--
		}
		s.hello(g, false)
	case batch:
		m.takeBatch(s, g, x)
	}
}

func (m *model) takeBatch(s *state, g int, x message) {
	y := &s.gateways[g]
	if x.rev < y.applied && m.planted != olderRevision {
		return
	}
	if y.covered.offset < 0 {
		y.covered, y.window = x.from, x.from.offset
		for i := range y.groups {
			y.groups[i].since = x.from.offset
		}
	}
	if x.from.offset > y.covered.offset && m.planted != holeIgnored {
		s.hello(g, false)
		return
	}
	y.applied = max(y.applied, min(x.rev, y.rev))
	for i := range y.groups {
		if j := &y.groups[i]; j.standing == joining && (j.changed <= y.applied || m.planted == anyBatchActivates) {
			j.standing, j.since = active, y.covered.offset
		}
	}
	if y.owesGap {
		y.owesGap = false
		s.tellGap(g)
	}
	m.hand(s, g, x)
	if x.to.offset > y.covered.offset {
		y.covered = x.to
	}
	s.checkCovered(g)
}

// hand delivers what a batch holds behind what is covered.
func (m *model) hand(s *state, g int, x message) {
	y := &s.gateways[g]
	for _, n := range x.events[:x.count] {
		number := n - 1
		e := s.entries[number]
		if e.offset <= y.covered.offset && m.planted != notTrimmed {
			continue
		}
		s.windows[g] |= 1 << number
		if y.groups[e.group].standing != active {
			continue
		}
		if c := &s.clients[e.group]; int(c.gateway) == g && c.progress == live {
			s.deliver(int(e.group), number)
		}
	}
}

func (s *state) tellGap(g int) {
	for i := range s.clients {
		c := &s.clients[i]
		if int(c.gateway) == g && (c.progress == live || c.progress == catching) {
			s.gap(i)
			c.goLive()
		}
	}
}

func (s *state) gatewayDies(g int) {
	for i := range s.clients {
		if int(s.clients[i].gateway) == g {
			s.disconnect(i, false)
		}
	}
	s.gateways[g] = newGateway(s.gateways[g].incarnation + 1)
	s.windows[g] = 0
	for w := range s.workers {
		s.down[w][g] = channel{}
	}
}
