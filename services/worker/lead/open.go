package lead

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// opening is the way to a main reader that stands on a known entry.
type opening struct {
	target eventlog.Cursor // go on behind it; none: at the end, as soon as that is known
	probe  *reader         // began at the end, to meet one of the own marks
	again  time.Duration   // left until it is begun anew, after a reader ended; 0: it goes on
}

// begin says where the main reader goes on: at the lowest cursor of a hello that is
// not too far below the highest; the others are caught up with.
func (m *Machine) begin() eventlog.Cursor {
	highest, lowest := eventlog.NoCursor, eventlog.NoCursor
	for _, p := range m.peers {
		if p.feed != 0 && p.at.Offset > highest.Offset {
			highest = p.at
		}
	}
	for _, p := range m.peers {
		if p.feed != 0 && !p.at.IsNone() && p.at.Offset >= highest.Offset-m.o.LookBack &&
			(lowest.IsNone() || p.at.Offset < lowest.Offset) {
			lowest = p.at
		}
	}
	return lowest
}

// open begins to read behind c; none: at the end. Where the end is is not known: a reader
// there gets nothing, and no error, until a mark of its own comes. Every feed waits, to be
// judged by the entry on which it stands.
func (m *Machine) open(c eventlog.Cursor) {
	m.closeReader(m.main)
	if m.opening != nil {
		m.closeReader(m.opening.probe)
	}
	for _, r := range slices.Clone(m.catchUps) {
		m.closeReader(r)
		m.endCatchUp(r.number)
	}
	m.main = nil
	for _, p := range m.peers {
		if p.carrier != nil {
			m.setDown(p)
		}
	}
	m.opening = &opening{target: c, probe: m.newReader(Next)}
	m.writeMark()
}

// probed is an entry at the end of the log, while opening. The first own mark shows where
// that is. Behind it, or behind the known entry, the main reader goes on; it
// begins farther back, because what is a copy is decided by the log alone.
func (m *Machine) probed(e *eventlog.Entry, cursor eventlog.Cursor) {
	o := m.opening
	if m.ownMark(e) == 0 {
		return
	}
	if o.target.IsNone() || o.target.Offset > cursor.Offset { // or the log is shorter than what was read of it
		o.target = cursor
	}
	m.high = cursor
	m.closeReader(o.probe)
	o.probe = nil
	m.main = m.newReader(max(o.target.Offset-m.o.LookBack, 0))
}

// startAt makes a reader that stands on cursor the main one.
func (m *Machine) startAt(r *reader, cursor eventlog.Cursor) {
	m.opening, m.main = nil, r
	r.at, m.top = cursor, cursor
	m.recent, m.recentSize = []read{{cursor: cursor}}, 0
	m.sinceRead, m.sinceAudit = 0, 0
	m.high = higher(m.high, cursor)
	m.pickUp(r, cursor, eventlog.NoCursor)
	for _, p := range m.peers {
		switch {
		case p.feed == 0 || p.carrier != nil:
		case p.at.IsNone():
			m.standAtEnd(p)
		case p.at.Offset > m.high.Offset:
			m.prove(p)
		}
	}
	m.catchUp()
}

func higher(a, b eventlog.Cursor) eventlog.Cursor {
	if a.Offset < b.Offset {
		return b
	}
	return a
}

// verified is an entry on the way to the target, or the first behind it: retention may have
// passed that, and it may be another entry.
func (m *Machine) verified(e *eventlog.Entry, cursor eventlog.Cursor) {
	r := m.main
	m.ownMark(e)
	if cursor.Offset <= r.at.Offset {
		return
	}
	r.duplicates.Seen(e)
	r.at = cursor
	if cursor.Offset >= m.opening.target.Offset {
		m.startAt(r, cursor)
	}
}
