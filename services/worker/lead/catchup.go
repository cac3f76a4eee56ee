package lead

import (
	"slices"
	"sort"

	"belfry/pkg/eventlog"
)

// waits reports whether a feed stands behind the main reader without a reader of
// its own, and may be sent something.
func (m *Machine) waits(p *peer) bool {
	return p.feed != 0 && p.carrier == nil && !p.stopped && !p.at.IsNone() && p.table != nil &&
		p.unconfirmed < maxUnconfirmed && p.at.Offset <= m.top.Offset
}

// catchUp looks after the feeds that stand behind the main reader: what it has
// read lately is at hand; for the others readers are opened, at the lowest of them.
func (m *Machine) catchUp() {
	if m.opening != nil || m.main == nil {
		return
	}
	for _, p := range m.peers {
		if m.waits(p) {
			m.fromRecent(p)
		}
	}
	for len(m.catchUps) < maxCatchUps {
		lowest := m.lowestUnattended()
		if lowest == nil {
			return
		}
		r := m.newReader(max(lowest.at.Offset-m.o.LookBack, 0))
		r.first = lowest.at.Offset
		m.catchUps = append(m.catchUps, r)
	}
}

// lowestUnattended is the feed to which no reader comes.
func (m *Machine) lowestUnattended() *peer {
	var lowest *peer
	for _, p := range m.peers {
		comes := slices.ContainsFunc(m.catchUps, func(r *reader) bool { return r.first <= p.at.Offset && r.at.Offset < p.at.Offset })
		if m.waits(p) && !comes && (lowest == nil || p.at.Offset < lowest.at.Offset) {
			lowest = p
		}
	}
	return lowest
}

// fromRecent brings a feed to the main reader by what that has read lately.
func (m *Machine) fromRecent(p *peer) {
	i := sort.Search(len(m.recent), func(i int) bool { return m.recent[i].cursor.Offset >= p.at.Offset })
	if i == len(m.recent) || m.recent[i].cursor.Offset != p.at.Offset {
		if i > 0 { // the entry would stand here
			m.reset(p, eventlog.CauseAnother)
		}
		return
	}
	if m.recent[i].cursor != p.at {
		m.reset(p, eventlog.CauseAnother)
		return
	}
	p.from = p.at
	for _, x := range m.recent[i+1:] {
		if p.bytes >= m.o.BatchBytes {
			if p.unconfirmed >= maxUnconfirmed {
				m.setDown(p)
				return
			}
			m.closeBatch(p)
		}
		p.at = x.cursor
		p.want(x.events)
	}
	p.carrier = m.main
}

// readCatchUp is the next entry of a catch-up reader.
func (m *Machine) readCatchUp(r *reader, e *eventlog.Entry, cursor eventlog.Cursor) {
	r.age = 0
	before := r.at
	if cursor.Offset <= before.Offset {
		return
	}
	if cursor.Offset > m.top.Offset { // it may not overtake: the main reader carries what is here
		m.handOver(r)
		return
	}
	if !before.IsNone() && cursor.Offset > before.Offset+normalStep {
		m.hole(r)
	}
	events := eventsOf(r, e, cursor, nil)
	r.at = cursor
	m.collect(r, events)
	m.pickUp(r, cursor, before)
	if cursor.Offset == m.top.Offset || !m.needed(r) {
		m.handOver(r)
	}
}

// needed reports whether a catch-up reader carries a feed, or will come to one.
func (m *Machine) needed(r *reader) bool {
	return slices.ContainsFunc(m.peers, func(p *peer) bool {
		return p.carrier == r || m.waits(p) && r.first <= p.at.Offset && r.at.Offset < p.at.Offset
	})
}

// pickUp takes the feeds along that stand on the entry which a reader has come to,
// and ends those whose entry is not there.
func (m *Machine) pickUp(r *reader, cursor, before eventlog.Cursor) {
	for _, p := range m.peers {
		if p.feed == 0 || p.carrier != nil || p.stopped || p.at.IsNone() || p.at.Offset > cursor.Offset || p.at.Offset <= before.Offset ||
			p.at.Offset < r.first {
			continue
		}
		switch {
		case p.at == cursor && p.table == nil: // it stays here until it has one
		case p.at == cursor:
			p.carrier, p.from = r, cursor
		case p.at.Offset == cursor.Offset:
			m.reset(p, eventlog.CauseAnother)
		case before.IsNone() && r == m.main: // it stands before what the main reader has read: not for it
		case before.IsNone():
			m.reset(p, eventlog.CauseTruncated)
		case cursor.Offset > before.Offset+normalStep:
			m.reset(p, eventlog.CauseJump)
		default:
			m.reset(p, eventlog.CauseAnother)
		}
	}
}

// handOver ends a catch-up reader that stands where the main reader stands, or is not needed.
func (m *Machine) handOver(r *reader) {
	for _, p := range m.peers {
		if p.carrier != r {
			continue
		}
		if r.at == m.top {
			p.carrier = m.main
		} else {
			m.setDown(p)
		}
	}
	m.closeReader(r)
	m.endCatchUp(r.number)
}

// endCatchUp forgets a catch-up reader; whoever it carried waits for another.
func (m *Machine) endCatchUp(number int) {
	for i, r := range m.catchUps {
		if r.number != number {
			continue
		}
		for _, p := range m.peers {
			if p.carrier == r {
				m.setDown(p)
			}
		}
		m.catchUps = slices.Delete(m.catchUps, i, i+1)
		return
	}
}
