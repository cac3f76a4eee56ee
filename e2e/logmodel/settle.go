package logmodel

import "fmt"

// settle plays a fair schedule without faults: after it everything must be right.
func (m *model) settle(from *state) {
	s := *from
	s.calm, s.budget = true, budget{}
	for range 40 {
		leader := s.highest()
		if leader < 0 {
			if !s.lead(0) {
				return // no room to judge
			}
			leader = 0
		}
		if s.workers[1-leader].leading {
			s.stepDown(1 - leader)
		}
		if !m.reopen(&s, leader) && s.workers[leader].version != s.version && m.planted != notVerified {
			return // no room
		}
		s.follow(leader)
		for c := range s.clients {
			if s.clients[c].progress == away {
				s.connect(c, c%int(s.using))
			}
		}
		m.exchange(&s)
		for c := range s.clients {
			m.answer(&s, c)
			m.fromWindow(&s, c)
			m.fill(&s, c)
			m.filled(&s, c)
		}
		if s.wrong() == "" {
			return
		}
	}
	broken("it does not come right: %s", s.wrong())
}

// highest is the leader with the highest term; none: nobody leads.
func (s *state) highest() int {
	leader := none
	for w := range s.workers {
		if s.workers[w].leading && (leader < 0 || s.workers[w].term > s.workers[leader].term) {
			leader = w
		}
	}
	return leader
}

// follow lets every gateway know the leader, and say again what that lacks.
func (s *state) follow(leader int) {
	for g := range int(s.using) {
		x := &s.gateways[g]
		if x.leader >= 0 && !s.workers[x.leader].leading {
			x.leader, x.term = none, none
		}
		if int(x.leader) != leader {
			s.down[leader][g].push(message{kind: claim, term: s.workers[leader].term})
		}
		if x.leader >= 0 {
			s.tellAgain(g)
		}
	}
}

// exchange lets all that is on its way arrive, and everybody read.
func (m *model) exchange(s *state) {
	for w := range s.workers {
		for g := range s.gateways {
			for s.up[g][w].count > 0 {
				m.workerTakes(s, w, g, s.up[g][w].take(0))
			}
			for s.down[w][g].count > 0 {
				m.gatewayTakes(s, g, w, s.down[w][g].take(0))
			}
			for m.read(s, w, g) {
			}
			if s.maySend(w, g) {
				s.send(w, g)
			}
		}
	}
}

// tellAgain: a gateway sees that its leader lacks something.
func (s *state) tellAgain(g int) bool {
	x := &s.gateways[g]
	w := int(x.leader)
	p := &s.workers[w].peers[g]
	if s.up[g][w].count > 0 || !s.workers[w].leading {
		return false
	}
	present := p.serving && p.incarnation == x.incarnation && p.feed == x.feed
	if p.stopped && present {
		return s.up[g][w].push(message{kind: life, incarnation: x.incarnation, feed: x.feed, to: x.covered})
	}
	if s.down[w][g].count > 0 && !s.calm {
		return false
	}
	switch {
	case !present || p.rev < 0:
		s.hello(g, true) // nothing of this feed comes
	case p.rev >= x.rev:
		return false
	case p.rev < x.applied:
		return s.up[g][w].push(s.snapshot(g))
	default:
		s.change(g)
	}
	return true
}

// wrong says what is not right yet.
func (s *state) wrong() string {
	for g := range int(s.using) {
		x := &s.gateways[g]
		if x.covered.offset != s.end-1 || x.covered.offset >= 0 && s.fp(x.covered.offset) != x.covered.fp || x.owesGap {
			return fmt.Sprintf("gateway %d covers %v of %d", g, x.covered, s.end)
		}
	}
	for c := range s.clients {
		if s.clients[c].progress != live {
			return fmt.Sprintf("client %d is not live", c)
		}
		for n := range s.written {
			if s.owes(c, n) {
				return fmt.Sprintf("client %d never got entry %d", c, n)
			}
		}
	}
	return ""
}
