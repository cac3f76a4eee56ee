package lead

import (
	"time"

	"belfry/pkg/eventlog"
)

// Machine is a worker's part in leading one log.
type Machine struct {
	o       Options
	effects []Effect

	// Leading.
	baton    uint64 // the newest, unacked; 0: none
	leading  bool
	me       eventlog.Leader
	highTerm uint64        // the highest term seen of anybody
	putIn    time.Duration // since a baton was put in

	// Reading, while leading.
	gathering  time.Duration // left until the main reader is opened; 0: it was
	opening    *opening
	main       *reader
	catchUps   []*reader
	audit      *reader
	top, high  eventlog.Cursor
	recent     []read
	recentSize int
	markSeq    uint64
	marks      map[string]uint64 // own ones that were not read, and their number
	sinceMark  time.Duration     // written
	sinceRead  time.Duration     // an entry
	sinceAudit time.Duration
	lastReader int

	peers     []*peer // by name
	lastBatch uint64
}

// New makes a machine that does not lead.
func New(o Options) *Machine {
	m := &Machine{o: o.complete()}
	m.forget()
	return m
}

func (m *Machine) add(e Effect) { m.effects = append(m.effects, e) }

// Effects returns what is to be done since the last call, in order.
func (m *Machine) Effects() []Effect {
	m.flush()
	all := m.effects
	m.effects = nil
	return all
}

// Leading reports whether this worker believes that it leads, and since which term.
func (m *Machine) Leading() (eventlog.Leader, bool) { return m.me, m.leading }

// Top is the last entry that the leader has read.
func (m *Machine) Top() eventlog.Cursor { return m.top }

func (m *Machine) forget() {
	m.gathering, m.opening, m.main, m.catchUps, m.audit = 0, nil, nil, nil, nil
	m.top, m.high = eventlog.NoCursor, eventlog.NoCursor
	m.recent, m.recentSize = nil, 0
	m.marks = map[string]uint64{}
	m.sinceMark, m.sinceRead, m.sinceAudit = 0, 0, 0
	m.peers = nil
}

// Baton is a message of the lead queue. wall is the clock in milliseconds: it only
// makes terms of different workers rise, and may be wrong.
func (m *Machine) Baton(baton uint64, wall uint64) {
	if m.baton != 0 {
		m.add(AckBaton{Baton: m.baton})
	}
	m.baton = baton
	if m.leading {
		return
	}
	m.forget()
	m.leading = true
	m.me = eventlog.Leader{Term: max(wall, m.highTerm+1), Worker: m.o.Worker}
	m.highTerm = m.me.Term
	m.gathering = gatherHellos
	m.add(SendAll{Message: eventlog.Claim{Log: m.o.Log, Leader: m.me}})
}

// BatonLost says that the channel on which batons came is closed.
func (m *Machine) BatonLost() {
	m.baton = 0
	m.stop()
}

// stop ends leading: nothing of this term goes on.
func (m *Machine) stop() {
	if !m.leading {
		return
	}
	m.leading = false
	if m.main != nil {
		m.add(CloseReader{Reader: m.main.number})
	}
	if m.opening != nil && m.opening.probe != nil {
		m.add(CloseReader{Reader: m.opening.probe.number})
	}
	for _, r := range m.catchUps {
		m.add(CloseReader{Reader: r.number})
	}
	if m.audit != nil {
		m.add(CloseReader{Reader: m.audit.number})
	}
	m.forget()
}

// stepDown ends leading because somebody with a higher term does.
func (m *Machine) stepDown(higher eventlog.Leader) {
	m.highTerm = max(m.highTerm, higher.Term)
	if m.leading && m.me.Less(higher) {
		m.stop()
		m.baton = 0
		m.add(LeaveBaton{})
	}
}

// Take takes a message: a Claim of another worker, or a gateway's Stale, Hello,
// Snapshot, Change, Life or Who, by value of the package eventlog. The caller has
// checked who sent it.
func (m *Machine) Take(message any) {
	switch x := message.(type) {
	case eventlog.Claim:
		if x.Log == m.o.Log {
			m.stepDown(x.Leader)
		}
	case eventlog.Stale:
		if x.Log == m.o.Log {
			m.stepDown(x.Leader)
		}
	}
	if !m.leading {
		return
	}
	switch x := message.(type) {
	case eventlog.Who:
		if x.Log == m.o.Log {
			m.claimTo(x.Gateway)
		}
	case eventlog.Hello:
		if x.Log == m.o.Log {
			m.hello(&x)
		}
	case eventlog.Snapshot:
		if x.Log == m.o.Log {
			m.snapshot(&x)
		}
	case eventlog.Change:
		if x.Log == m.o.Log {
			m.change(&x)
		}
	case eventlog.Life:
		if x.Log == m.o.Log {
			m.life(&x)
		}
	}
}

func (m *Machine) claimTo(gateway string) {
	m.add(Send{Gateway: gateway, Message: eventlog.Claim{Log: m.o.Log, Leader: m.me}})
}

// Tick lets time pass, a second at most. While the broker blocks publishers the
// caller does not call it.
func (m *Machine) Tick(d time.Duration) {
	d = min(d, mostOfOneTick)
	if m.putIn += d; m.putIn >= batonEvery {
		m.putIn = 0
		m.add(PutBaton{})
	}
	if !m.leading {
		return
	}
	if m.gathering > 0 {
		if m.gathering -= d; m.gathering <= 0 {
			m.gathering = 0
			m.open(m.begin())
		}
		return
	}
	m.tickReaders(d)
	m.tickPeers(d)
}

// Start puts the first baton in: whoever is there first leads.
func (m *Machine) Start() { m.add(PutBaton{}) }
