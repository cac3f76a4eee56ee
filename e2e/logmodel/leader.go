package logmodel

func (p *peer) forget() {
	*p = peer{rev: none, at: nowhere, from: nowhere, looksFrom: none}
}

func (p *peer) drop() { p.events, p.count = [batchRoom]int8{}, 0 }

// stand puts a feed behind an entry.
func (m *model) stand(p *peer, c cursor) {
	p.at, p.from, p.looksFrom = c, c, m.looks(c.offset)
	p.drop()
}

// lead makes a worker lead: it writes a mark, and stands there.
func (s *state) lead(w int) bool {
	if !s.write(none, none) {
		return false
	}
	term := int8(0)
	for i := range s.workers {
		term = max(term, s.workers[i].term)
	}
	l := &s.workers[w]
	*l = worker{leading: true, term: term + 1, version: s.version, top: s.cursorAt(s.end - 1)}
	for g := range l.peers {
		l.peers[g].forget()
		if g < int(s.using) {
			s.down[w][g].push(message{kind: claim, term: l.term})
		}
	}
	return true
}

func (s *state) stepDown(w int) {
	l := &s.workers[w]
	l.leading, l.version, l.top = false, 0, nowhere
	for g := range l.peers {
		l.peers[g].forget()
	}
}

func (s *state) reset(w, g int) bool {
	p := &s.workers[w].peers[g]
	if !s.down[w][g].push(message{kind: reset, incarnation: p.incarnation, feed: p.feed, to: p.from}) {
		return false
	}
	p.serving = false
	return true
}

// send closes the batch in hand, empty or not.
func (s *state) send(w, g int) bool {
	p := &s.workers[w].peers[g]
	b := message{
		kind: batch, incarnation: p.incarnation, feed: p.feed, rev: p.rev,
		from: p.from, to: p.at, events: p.events, count: p.count,
	}
	if !s.down[w][g].push(b) {
		return false
	}
	p.from = p.at
	p.drop()
	return true
}

func (s *state) maySend(w, g int) bool {
	p := &s.workers[w].peers[g]
	return s.workers[w].leading && p.serving && !p.stopped && p.rev >= 0 && (p.at != p.from || s.down[w][g].count == 0)
}

// cut closes the batch in hand before the table changes; where that is not possible it is
// read again under the new table.
func (m *model) cut(s *state, w, g int) {
	p := &s.workers[w].peers[g]
	if !p.serving || m.planted == noCut {
		return
	}
	if p.at != p.from && !s.send(w, g) {
		m.stand(p, p.from)
	}
}

func (m *model) workerTakes(s *state, w, g int, x message) {
	l := &s.workers[w]
	if !l.leading {
		return
	}
	p := &l.peers[g]
	if m.planted != noIncarnation {
		if x.incarnation < p.incarnation {
			return
		}
		if x.incarnation > p.incarnation {
			p.forget()
			p.incarnation = x.incarnation
		}
	}
	switch x.kind {
	case hello:
		m.takeHello(s, w, g, x)
	case snapshot:
		if x.rev < p.rev && m.planted != olderSnapshot {
			return
		}
		m.cut(s, w, g)
		p.table, p.rev = x.table, x.rev
	case change:
		if p.rev < 0 || p.rev < x.base && m.planted != noBase || x.rev <= p.rev {
			return
		}
		m.cut(s, w, g)
		p.table = p.table&^x.changed | x.table&x.changed
		p.rev = x.rev
	case life:
		if x.feed == p.feed && p.serving && p.stopped {
			p.stopped = false
			m.stand(p, x.to)
		}
	}
}

func (m *model) takeHello(s *state, w, g int, x message) {
	p := &s.workers[w].peers[g]
	again := m.planted == sameFeed && x.feed == p.feed && !p.serving
	if x.feed <= p.feed && m.planted != noIncarnation && !again {
		return
	}
	p.incarnation, p.feed, p.serving, p.stopped = x.incarnation, x.feed, true, false
	switch {
	case x.to.offset < 0:
		m.stand(p, s.workers[w].top)
		if m.planted == noLookAtEnd {
			p.looksFrom = p.at.offset + 1
		}
	case m.holds(s, x.to):
		m.stand(p, x.to)
	case m.planted == noFingerprint && x.to.offset >= s.end: // it waits for the log to grow
		m.stand(p, x.to)
	case m.planted == silentTruncation && x.to.offset < s.first:
		m.stand(p, cursor{s.first - 1, none})
		p.from = x.to
	default:
		m.stand(p, x.to)
		s.reset(w, g)
		p.serving = false
	}
}

// read takes the next entry of the log into the batch in hand.
func (m *model) read(s *state, w, g int) bool {
	l := &s.workers[w]
	p := &l.peers[g]
	if !l.leading || !p.serving || p.stopped || p.rev < 0 || l.version != s.version && m.planted != notVerified {
		return false
	}
	next := p.at.offset + 1
	if next < s.first {
		if m.planted != silentTruncation {
			return s.reset(w, g)
		}
		next = s.first
	}
	if next >= s.end {
		return false
	}
	e := s.entries[s.log[next]]
	wanted := e.group >= 0 && p.table&(1<<e.group) != 0 && !s.copied(next, p.looksFrom)
	if wanted && p.count == batchRoom || p.at.offset-p.from.offset >= batchReach {
		return false
	}
	if wanted {
		p.events[p.count] = s.log[next] + 1
		p.count++
	}
	p.at = s.cursorAt(next)
	if next > l.top.offset {
		l.top = p.at
	}
	return true
}

// reopen looks whether the log is the one that was read.
func (m *model) reopen(s *state, w int) bool {
	l := &s.workers[w]
	if l.leading && l.version == s.version && l.top.offset < s.first {
		l.top = s.cursorAt(s.first) // retention has overtaken the main reader: it reads on
		return true
	}
	if !l.leading || l.version == s.version || m.planted == notVerified {
		return false
	}
	if !m.holds(s, l.top) {
		if !s.write(none, none) {
			return false
		}
		l.top = s.cursorAt(s.end - 1)
	}
	l.version = s.version
	for g := range l.peers {
		p := &l.peers[g]
		if !p.serving {
			continue
		}
		m.stand(p, p.from) // what is in hand is read again
		if !m.holds(s, p.at) {
			s.reset(w, g)
			p.serving = false
		}
	}
	return true
}
