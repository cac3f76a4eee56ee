package logmodel

func (s *state) connect(c, g int) {
	x := &s.clients[c]
	x.progress, x.gateway = asking, int8(g)
	s.join(g, c)
}

// disconnect ends a connection. A client that was told where its gateway is resumes
// there, another with its last event.
func (s *state) disconnect(c int, told bool) {
	x := &s.clients[c]
	if told && x.progress == live && s.gateways[x.gateway].covered.offset >= 0 && !s.gateways[x.gateway].owesGap {
		x.has = s.gateways[x.gateway].covered
	} else if x.progress == catching && x.proven {
		x.has = x.reached
	}
	x.goLive()
	x.progress, x.gateway = away, none
}

// goLive ends catching up.
func (c *client) goLive() {
	c.progress, c.reached, c.proven = live, nowhere, false
	c.filling, c.to, c.events, c.refused = false, nowhere, 0, false
}

// answer gives a client its place when its group is active.
func (m *model) answer(s *state, c int) bool {
	x := &s.clients[c]
	if x.progress != asking {
		return false
	}
	g := &s.gateways[x.gateway]
	i := &g.groups[c]
	if m.planted == joinAtOnce && i.standing == joining && g.covered.offset >= 0 {
		i.standing, i.since = active, g.covered.offset
	}
	if i.standing != active || g.covered.offset < 0 || g.owesGap {
		return false
	}
	switch {
	case !x.answered:
		x.progress, x.has, x.answered, x.owed = live, g.covered, true, s.behind(g.covered)
	case m.planted == resumeAtCovered || m.planted == aheadNotAwaited && x.has.offset > g.covered.offset:
		x.progress = live
	case x.has.offset > g.covered.offset:
		shorter := s.broken && g.covered.offset == s.end-1 && s.fp(g.covered.offset) == g.covered.fp
		if !shorter { // only a mark in front of the cursor proves it
			return false
		}
		s.gap(c, x.has)
		x.progress = live
	case x.has.offset == g.covered.offset:
		x.progress = live
		if x.has.fp != g.covered.fp && m.planted != noFingerprint {
			s.gap(c, x.has, g.covered)
		}
	default:
		x.progress, x.reached, x.proven = catching, x.has, false
	}
	return true
}

// fromWindow serves a client from what its gateway has delivered lately.
func (m *model) fromWindow(s *state, c int) bool {
	x := &s.clients[c]
	if x.progress != catching || x.filling {
		return false
	}
	g := &s.gateways[x.gateway]
	if x.reached.offset < g.window || x.reached.offset < g.groups[c].since && m.planted != windowForAll {
		return false
	}
	has := func(n int8) bool { return s.windows[x.gateway]&(1<<n) != 0 }
	proven := x.proven || m.planted == windowForAll || m.planted == noFingerprint
	for n := range s.written {
		if e := s.entries[n]; has(n) && e.offset == x.reached.offset && e.content == x.reached.fp {
			proven = true
		}
	}
	if !proven {
		return false
	}
	for n := range s.written {
		if e := s.entries[n]; has(n) && int(e.group) == c && e.offset > x.reached.offset {
			s.deliver(c, n)
		}
	}
	s.caughtUp(c)
	return true
}

func (s *state) caughtUp(c int) {
	x := &s.clients[c]
	x.goLive()
	s.checkCovered(int(x.gateway))
}

// fill: some worker reads the log from where the client is to what is covered.
func (m *model) fill(s *state, c int) bool {
	x := &s.clients[c]
	if x.progress != catching || x.filling {
		return false
	}
	g := &s.gateways[x.gateway]
	if g.covered.offset < 0 || g.owesGap {
		return false
	}
	x.filling, x.to, x.events, x.refused = true, g.covered, 0, false
	if !m.holds(s, x.reached) || !m.holds(s, g.covered) {
		x.refused = m.planted != silentTruncation || x.reached.offset >= s.first
		if x.refused {
			return true
		}
	}
	looksFrom := m.looks(x.reached.offset)
	for at := max(x.reached.offset+1, s.first); at <= g.covered.offset && at < s.end; at++ {
		if n := s.log[at]; int(s.entries[n].group) == c && !s.copied(at, looksFrom) {
			x.events |= 1 << n
		}
	}
	return true
}

// filled: the answer comes.
func (m *model) filled(s *state, c int) bool {
	x := &s.clients[c]
	if x.progress != catching || !x.filling {
		return false
	}
	g := &s.gateways[x.gateway]
	if x.refused {
		if g.covered.offset < 0 || g.owesGap {
			return false
		}
		s.gap(c, x.reached, x.to)
		s.caughtUp(c)
		return true
	}
	for n := range s.written {
		if x.events&(1<<n) != 0 {
			s.deliver(c, n)
		}
	}
	x.reached, x.proven = x.to, true
	x.filling, x.to, x.events = false, nowhere, 0
	if x.reached == g.covered || m.planted == caughtUpEarly {
		s.caughtUp(c)
	}
	return true
}

// deliver gives one event to a client, and judges it.
func (s *state) deliver(c int, number int8) {
	x, e := &s.clients[c], s.entries[number]
	if int(e.group) != c {
		broken("client %d got an event of group %d", c, e.group)
	}
	if number < x.last {
		broken("client %d got entry %d behind %d", c, number, x.last)
	}
	if s.holds(cursor{e.offset, e.content}) && s.copied(e.offset, s.first) {
		broken("client %d got entry %d, a copy of one that the log holds", c, number)
	}
	for n := range s.written {
		switch has := x.got&(1<<n) != 0; {
		case has && s.entries[n].content == e.content:
			broken("client %d got entry %d, a copy of %d which it has", c, number, n)
		case n >= x.owed && n < number && s.owes(c, n):
			broken("client %d got entry %d, and never %d", c, number, n)
		}
	}
	x.got |= 1 << number
	x.last = number
	x.has = cursor{e.offset, e.content}
}

// owes reports whether a client must have got an entry, and has not.
func (s *state) owes(c int, number int8) bool {
	e, x := &s.entries[number], &s.clients[c]
	return x.answered && number >= x.owed && int(e.group) == c && !e.lost && !e.copied && x.got&(1<<number) == 0
}

// gap tells a client: it goes on behind what its gateway covers. Where the log holds the
// places that are the reason, there is none; what a reset is the reason of, is judged there.
func (s *state) gap(c int, places ...cursor) {
	lost := len(places) == 0
	for _, place := range places {
		lost = lost || !s.holds(place)
	}
	if !lost {
		broken("client %d is told of a gap, and the log holds %v", c, places)
	}
	x := &s.clients[c]
	x.has = s.gateways[x.gateway].covered
	x.owed, x.got, x.last = s.behind(x.has), 0, none
}

// checkCovered: nothing at or before what a gateway covers is missing at a live client.
func (s *state) checkCovered(g int) {
	y := &s.gateways[g]
	if y.covered.offset < 0 || y.covered.offset >= s.end || s.fp(y.covered.offset) != y.covered.fp || y.owesGap {
		return
	}
	for c := range s.clients {
		x := &s.clients[c]
		if x.progress != live || int(x.gateway) != g {
			continue
		}
		for n := x.owed; n < s.written; n++ {
			if s.entries[n].offset <= y.covered.offset && s.owes(c, n) {
				broken("client %d never got entry %d, and its gateway covers %d", c, n, y.covered.offset)
			}
		}
	}
}
