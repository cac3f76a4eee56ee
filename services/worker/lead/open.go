package lead

import "belfry/pkg/eventlog"

// opening is the way to a main reader that stands on a known entry.
type opening struct {
	target eventlog.Cursor // go on behind it; none: at the end
	probe  *reader         // began at the end, to meet one of the own marks
}

// begin says where the main reader goes on: at the lowest cursor of a hello that is
// not too far below the highest; the others are caught up with.
func (m *Machine) begin() eventlog.Cursor {
	highest, lowest := eventlog.NoCursor, eventlog.NoCursor
	for _, p := range m.sorted() {
		if p.feed != 0 && p.at.Offset > highest.Offset {
			highest = p.at
		}
	}
	for _, p := range m.sorted() {
		if p.feed != 0 && !p.at.IsNone() && p.at.Offset >= highest.Offset-m.o.LookBack &&
			(lowest.IsNone() || p.at.Offset < lowest.Offset) {
			lowest = p.at
		}
	}
	return lowest
}

// open begins to read behind c. Where the end is is not known: a reader there gets
// nothing, and no error, until a mark of its own comes.
func (m *Machine) open(c eventlog.Cursor) {
	m.closeReader(m.main)
	if m.opening != nil {
		m.closeReader(m.opening.probe)
	}
	m.main = nil
	for _, p := range m.peers {
		if p.carrier != nil && !m.catchesUp(p.carrier) {
			m.setDown(p)
		}
	}
	m.opening = &opening{target: c, probe: m.newReader(Next)}
	m.writeMark()
}

// probed is an entry at the end of the log, while opening.
func (m *Machine) probed(e *eventlog.Entry, cursor eventlog.Cursor) {
	o := m.opening
	o.probe.duplicates.Seen(e)
	if m.ownMark(e) == 0 {
		return
	}
	m.high = higher(m.high, cursor)
	switch {
	case o.target.IsNone():
		m.startAt(o.probe, cursor)
	case o.target.Offset >= cursor.Offset: // the log is shorter than what was read of it
		m.another()
		m.high = cursor
		m.startAt(o.probe, cursor)
	default:
		m.closeReader(o.probe)
		o.probe = nil
		m.main = m.newReader(max(o.target.Offset-m.o.LookBack, 0))
	}
}

// startAt makes a reader that stands on cursor the main one.
func (m *Machine) startAt(r *reader, cursor eventlog.Cursor) {
	m.opening, m.main = nil, r
	r.at, m.top = cursor, cursor
	m.recent, m.recentSize = []read{{cursor: cursor}}, 0
	m.sinceRead, m.sinceAudit = 0, 0
	m.high = higher(m.high, cursor)
	m.pickUp(r, cursor, eventlog.NoCursor)
	for _, p := range m.sorted() {
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

// verified is an entry on the way to the target.
func (m *Machine) verified(e *eventlog.Entry, cursor eventlog.Cursor) {
	r, target := m.main, m.opening.target
	m.ownMark(e)
	before := r.at
	switch {
	case cursor.Offset <= before.Offset:
		return
	case cursor.Offset < target.Offset:
		r.duplicates.Seen(e)
		r.at = cursor
	case cursor == target:
		r.duplicates.Seen(e)
		m.startAt(r, cursor)
	case before.IsNone() && cursor.Offset > target.Offset: // retention has passed it
		for _, p := range m.sorted() {
			if p.feed != 0 && !p.at.IsNone() && p.at.Offset < cursor.Offset {
				m.reset(p, eventlog.CauseTruncated)
			}
		}
		r.duplicates.Seen(e)
		m.startAt(r, cursor)
	default: // another entry stands at that offset, or none
		m.another()
		m.open(eventlog.NoCursor)
	}
}
