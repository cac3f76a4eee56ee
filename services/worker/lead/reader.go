package lead

import (
	"maps"
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// reader is a consumer of the log.
type reader struct {
	number     int
	at         eventlog.Cursor // the last entry that it has read
	first      int64           // it takes up no feed below: it has not looked back far enough
	duplicates eventlog.Duplicates
	age        time.Duration // since it has brought something
}

// read is an entry that the main reader has read.
type read struct {
	cursor eventlog.Cursor
	events []eventlog.Event // none: a mark, a duplicate, or nothing that can be sent
}

func (m *Machine) newReader(at int64) *reader {
	m.lastReader++
	m.add(OpenReader{Reader: m.lastReader, At: at})
	return &reader{number: m.lastReader, at: eventlog.NoCursor, duplicates: eventlog.Duplicates{Size: m.o.LookBack}}
}

func (m *Machine) closeReader(r *reader) {
	if r != nil {
		m.add(CloseReader{Reader: r.number})
	}
}

func (m *Machine) writeMark() {
	m.sinceMark = 0
	id := m.o.MarkID()
	m.markSeq++
	m.marks[id] = m.markSeq
	if len(m.marks) > mostMarks { // the others were lost, or come too late to say anything
		maps.DeleteFunc(m.marks, func(_ string, number uint64) bool { return number+mostMarks/2 < m.markSeq })
	}
	m.add(WriteMark{ID: id})
}

// Read is an entry that a reader brings.
func (m *Machine) Read(number int, e *eventlog.Entry) {
	cursor := eventlog.Cursor{Offset: e.Offset, FP: m.o.Key.Fingerprint(e.Offset, e.ID, e.Body)}
	switch {
	case m.opening != nil && m.opening.probe != nil && m.opening.probe.number == number:
		m.sinceRead = 0
		m.probed(e, cursor)
	case m.main != nil && m.main.number == number:
		m.sinceRead = 0
		if m.opening != nil {
			m.verified(e, cursor)
		} else {
			m.readMain(e, cursor)
		}
	case m.audit != nil && m.audit.number == number:
		m.audited(cursor)
	default:
		for _, r := range m.catchUps {
			if r.number == number {
				m.readCatchUp(r, e, cursor)
				return
			}
		}
	}
}

// ownMark reports the number of an own mark that was not read before; 0: it is none.
func (m *Machine) ownMark(e *eventlog.Entry) uint64 {
	number, own := m.marks[e.ID]
	if e.Type != MarkType || !own {
		return 0
	}
	delete(m.marks, e.ID)
	return number
}

// readMain is the next entry of the log.
func (m *Machine) readMain(e *eventlog.Entry, cursor eventlog.Cursor) {
	r := m.main
	if cursor.Offset <= r.at.Offset {
		return
	}
	before := r.at
	if cursor.Offset > before.Offset+normalStep {
		m.hole(r)
	}
	mark := m.ownMark(e)
	events := eventsOf(r, e, cursor, m.parking(e))
	r.at, m.top = cursor, cursor
	m.high = higher(m.high, cursor)
	m.remember(read{cursor, events})
	m.collect(r, events)
	m.pickUp(r, cursor, before)
	if mark != 0 {
		m.disprove(mark, cursor)
	}
}

// hole: entries are missing in front of what a reader brings.
func (m *Machine) hole(r *reader) {
	for _, p := range m.peers {
		if p.carrier == r {
			m.reset(p, eventlog.CauseJump)
		}
	}
	if r == m.main {
		m.recent, m.recentSize = nil, 0
	}
}

func (m *Machine) remember(x read) {
	m.recent = append(m.recent, x)
	m.recentSize += x.size()
	n := 0
	for len(m.recent)-n > m.o.Recent || m.recentSize > maxRecentBytes && n < len(m.recent)-1 {
		m.recentSize -= m.recent[n].size()
		n++
	}
	if n > 0 && (n > len(m.recent)/2 || cap(m.recent) == len(m.recent)) {
		m.recent = append([]read(nil), m.recent[n:]...)
	} else {
		m.recent = m.recent[n:]
	}
}

func (x read) size() int {
	sum := 0
	for i := range x.events {
		sum += sizeOf(&x.events[i])
	}
	return sum
}

// audited compares the entry at top with what was read there.
func (m *Machine) audited(cursor eventlog.Cursor) {
	r := m.audit
	m.audit = nil
	m.closeReader(r)
	if cursor.Offset == r.at.Offset && cursor.FP != r.at.FP {
		m.open(m.top)
	}
}

// ReaderEnded says that a reader brings nothing more.
func (m *Machine) ReaderEnded(number int) {
	switch {
	case m.opening != nil && (m.opening.probe != nil && m.opening.probe.number == number || m.main != nil && m.main.number == number):
		m.forgetReader(number)
		m.opening.again = openAgainIn // a broker that is away must not be asked all the time
	case m.main != nil && m.main.number == number:
		m.forgetReader(number)
		m.open(m.top)
	case m.audit != nil && m.audit.number == number:
		m.audit = nil
	default:
		m.endCatchUp(number)
	}
}

// forgetReader forgets a reader that has ended: there is nothing to close.
func (m *Machine) forgetReader(number int) {
	if m.main != nil && m.main.number == number {
		for _, p := range m.peers {
			if p.carrier == m.main {
				m.setDown(p)
			}
		}
		m.main = nil
	}
	if m.opening != nil && m.opening.probe != nil && m.opening.probe.number == number {
		m.opening.probe = nil
	}
}

func (m *Machine) tickReaders(d time.Duration) {
	if m.sinceMark += d; m.opening != nil && m.sinceMark >= firstMarks || m.sinceMark >= markEvery {
		m.writeMark()
	}
	if o := m.opening; o != nil && o.again > 0 {
		if o.again -= d; o.again <= 0 {
			m.open(o.target)
		}
	}
	m.sinceRead += d
	if m.sinceRead >= readerDead { // neither an entry nor an error: it hangs
		m.sinceRead = 0
		if m.opening != nil {
			m.open(m.opening.target)
		} else {
			m.open(m.top)
		}
	}
	if m.opening == nil {
		if m.sinceAudit += d; m.sinceAudit >= auditEvery {
			m.sinceAudit = 0
			m.closeReader(m.audit)
			m.audit = m.newReader(m.top.Offset)
			m.audit.at = m.top
		}
	}
	for _, r := range slices.Clone(m.catchUps) {
		if r.age += d; r.age >= readerDead {
			m.closeReader(r)
			m.endCatchUp(r.number)
		}
	}
	m.catchUp()
}
