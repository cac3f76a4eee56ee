package lead

import (
	"slices"
	"strings"
	"time"

	"belfry/pkg/eventlog"
)

// peer is what the leader knows of one gateway.
type peer struct {
	gateway string
	feed    uint64 // 0: none
	newest  uint64 // the highest feed of a hello

	carrier *reader         // stands where the feed stands; nil: it waits for one
	at      eventlog.Cursor // where it stands without a carrier
	from    eventlog.Cursor // the end of its last closed batch
	afterMk uint64          // an own mark of this number or later, read at or below at, disproves at

	table map[eventlog.Tag]struct{} // nil: none
	rev   uint64
	parts *parts

	asked    uint64 // the gateway's question where the log ends
	asksMark uint64 // an own mark of this number or later answers it
	proved   uint64 // the last one that was answered
	provedAt int64  // by the mark at this offset

	stopped     bool // a batch was refused
	unconfirmed int
	events      []eventlog.Event
	bytes       int

	quiet     time.Duration // without a word of it
	unsettled time.Duration // with batches on their way, since the last verdict
	sinceSent time.Duration
	wantTable time.Duration // since the hello
	claimed   time.Duration // since the last claim to it
}

// parts is a snapshot that is not complete.
type parts struct {
	rev, serial uint64
	have        map[int]bool
	count       int
	tags        map[eventlog.Tag]struct{}
}

// peer finds what is known of a gateway, from which a word has come.
func (m *Machine) peer(gateway string) *peer {
	i, known := m.find(gateway)
	if !known {
		p := &peer{gateway: gateway, at: eventlog.NoCursor, from: eventlog.NoCursor, claimed: claimAgainIn}
		m.peers = slices.Insert(m.peers, i, p)
	}
	m.peers[i].quiet = 0
	return m.peers[i]
}

func (m *Machine) find(gateway string) (int, bool) {
	return slices.BinarySearchFunc(m.peers, gateway, func(p *peer, name string) int { return strings.Compare(p.gateway, name) })
}

func (p *peer) dropCollected() { p.events, p.bytes = nil, 0 }

func (m *Machine) hello(h *eventlog.Hello) {
	p := m.peer(h.Gateway)
	if h.Feed <= p.newest {
		return
	}
	p.newest, p.feed, p.stopped, p.unconfirmed = h.Feed, h.Feed, false, 0
	p.dropCollected()
	p.carrier, p.at, p.from = nil, h.Covered, h.Covered
	p.sinceSent, p.wantTable = emptyEvery, 0
	if h.Covered.IsNone() {
		m.standAtEnd(p)
	} else {
		m.prove(p)
	}
}

// standAtEnd puts a feed at the end of the log, where a reader picks it up. While
// the end is not known it stands nowhere.
func (m *Machine) standAtEnd(p *peer) {
	p.at, p.from = m.high, m.high
	m.catchUp()
}

// prove looks at where a feed wants to go on. A place behind everything that was
// ever seen is waited for, but not longer than a mark needs that is written now.
func (m *Machine) prove(p *peer) {
	if m.gathering > 0 || m.opening != nil {
		return // it is looked at when the main reader stands
	}
	if p.at.Offset > m.high.Offset {
		m.writeMark()
		p.afterMk = m.markSeq
	}
	m.catchUp()
}

// disprove resets the feeds that stand at or behind a mark which was written
// after they said where they stand, and answers who asked where the log ends.
func (m *Machine) disprove(mark uint64, cursor eventlog.Cursor) {
	for _, p := range m.peers {
		if p.asked > p.proved && mark >= p.asksMark {
			p.proved, p.provedAt, p.sinceSent = p.asked, cursor.Offset, emptyEvery
		}
		if p.feed != 0 && p.carrier == nil && p.at.Offset >= cursor.Offset && p.afterMk != 0 && mark >= p.afterMk {
			m.reset(p, eventlog.CauseAnother)
		}
	}
}

// reset ends a feed: nothing goes on from where it stands.
func (m *Machine) reset(p *peer, cause eventlog.Cause) {
	m.add(Send{Gateway: p.gateway, Message: eventlog.Reset{Log: m.o.Log, Gateway: p.gateway, Feed: p.feed, At: p.from, Cause: cause}})
	p.feed, p.carrier, p.at, p.from, p.afterMk = 0, nil, eventlog.NoCursor, eventlog.NoCursor, 0
	p.dropCollected()
}

func (m *Machine) snapshot(s *eventlog.Snapshot) {
	p := m.peer(s.Gateway)
	p.wantTable = 0
	if s.Parts < 1 || s.Part < 0 || s.Part >= s.Parts || p.table != nil && s.Rev < p.rev {
		return
	}
	if p.parts == nil || s.Serial > p.parts.serial {
		p.parts = &parts{rev: s.Rev, serial: s.Serial, have: map[int]bool{}, count: s.Parts, tags: map[eventlog.Tag]struct{}{}}
	}
	whole := p.parts
	if s.Serial != whole.serial || s.Rev != whole.rev || s.Parts != whole.count || whole.have[s.Part] {
		return
	}
	whole.have[s.Part] = true
	for _, tag := range s.Tags {
		whole.tags[tag] = struct{}{}
	}
	if len(whole.have) < whole.count {
		return
	}
	p.parts = nil
	m.cut(p)
	p.table, p.rev = whole.tags, whole.rev
	p.sinceSent = emptyEvery // the answer is a batch, empty if need be
	m.catchUp()
}

func (m *Machine) change(c *eventlog.Change) {
	p := m.peer(c.Gateway)
	if p.feed == 0 {
		m.claimAgain(p)
		return
	}
	switch {
	case p.table == nil || p.rev < c.Base:
		m.need(p)
	case c.Rev > p.rev:
		m.cut(p)
		for _, tag := range c.Left {
			delete(p.table, tag)
		}
		for _, tag := range c.Joined {
			p.table[tag] = struct{}{}
		}
		p.rev = c.Rev
		p.sinceSent = emptyEvery // the answer to the join is a batch, empty if need be
	}
}

func (m *Machine) need(p *peer) {
	m.add(Send{Gateway: p.gateway, Message: eventlog.Need{Log: m.o.Log, Gateway: p.gateway, Feed: p.feed}})
}

func (m *Machine) life(l *eventlog.Life) {
	p := m.peer(l.Gateway)
	if p.feed == 0 || l.Feed != p.feed {
		m.claimAgain(p)
		return
	}
	if l.Prove > p.asked {
		m.writeMark()
		p.asked, p.asksMark = l.Prove, m.markSeq
	}
	if !p.stopped {
		return
	}
	p.stopped, p.unconfirmed = false, 0
	p.dropCollected()
	p.carrier, p.at, p.from = nil, l.Covered, l.Covered
	if l.Covered.IsNone() {
		m.standAtEnd(p)
	} else {
		m.prove(p)
	}
}

func (m *Machine) claimAgain(p *peer) {
	if p.claimed >= claimAgainIn {
		p.claimed = 0
		m.claimTo(p.gateway)
	}
}

func (m *Machine) tickPeers(d time.Duration) {
	m.peers = slices.DeleteFunc(m.peers, func(p *peer) bool {
		p.quiet += d
		return p.quiet >= gatewayGone
	})
	for _, p := range m.peers {
		p.claimed += d
		p.sinceSent += d
		if p.unsettled += d; p.unsettled >= verdictIn && p.unconfirmed > 0 && !p.stopped {
			m.stopFeed(p)
		}
		if p.feed != 0 && p.table == nil {
			if p.wantTable += d; p.wantTable >= askForTable {
				p.wantTable = 0
				m.need(p)
			}
		}
	}
}
