package eventlog

import "belfry/pkg/protocol"

// Tag stands for a group where interest travels: 64 bits of FNV-1a of its name. A
// collision costs an event that the gateway drops.
type Tag uint64

// TagOf makes a group's tag.
func TagOf(g protocol.Group) Tag { return Tag(protocol.Digest(g)) }

// Leader orders the leaders of a log: by term, then by worker as text.
type Leader struct {
	Term   uint64
	Worker string // identity; empty: no leader
}

// IsNone reports whether nobody leads.
func (l Leader) IsNone() bool { return l.Worker == "" }

// Less reports whether l is an earlier leader than m.
func (l Leader) Less(m Leader) bool {
	return l.Term < m.Term || l.Term == m.Term && l.Worker < m.Worker
}

// Event is one payload for one group, at its place in the log.
type Event struct {
	Offset  int64
	Index   int
	FP      Fingerprint
	Group   protocol.Group
	Trace   string
	Payload []byte
}

// Position of the event.
func (e *Event) Position() Position { return Position{Offset: e.Offset, Index: e.Index} }

// Messages of workers to gateways. All but Claim name the gateway, incarnation
// included, and the feed; a gateway drops what is not for its present one.
type (
	// Claim says who leads the log from now on.
	Claim struct {
		Log int
		Leader
	}

	// Batch holds every event behind From up to To that belongs to the groups which
	// the gateway had at its revision Rev.
	Batch struct {
		Log      int
		Gateway  string
		Feed     uint64
		Rev      uint64
		From, To Cursor
		End      int64 // the offset of the last entry that the leader knows of
		Proved   uint64
		ProvedAt int64 // the offset of a mark that was written after Life asked with Prove = Proved
		Events   []Event
	}

	// Reset says that nothing goes on from At, where the feed stood: the end of its last
	// batch, or what its hello said.
	Reset struct {
		Log     int
		Gateway string
		Feed    uint64
		At      Cursor
		Cause   Cause
	}

	// Need asks for a snapshot: the leader has no interest of the gateway.
	Need struct {
		Log     int
		Gateway string
		Feed    uint64
	}

	// Filled is a part of what Fill asked for: the events behind From up to To. Done
	// is set in the last part, Gap where the log cannot tell.
	Filled struct {
		Log      int
		Gateway  string
		ID       uint64
		From, To Position
		FP       Fingerprint // of the entry To
		Done     bool
		Gap      bool
		Events   []Event
	}
)

// Messages of gateways to workers.
type (
	// Stale answers a claim that is lower than one seen before: who leads for me.
	Stale struct {
		Log     int
		Gateway string
		Leader
	}

	// Hello begins a feed behind Covered.
	Hello struct {
		Log     int
		Gateway string
		Feed    uint64
		Covered Cursor
	}

	// Snapshot is the gateway's whole interest as of Rev, in Parts parts of one Serial.
	Snapshot struct {
		Log         int
		Gateway     string
		Rev         uint64
		Serial      uint64
		Part, Parts int
		Tags        []Tag
	}

	// Change says what every group that changed since Base is at Rev. It is
	// cumulative: loss, doubling and order of changes do not matter.
	Change struct {
		Log          int
		Gateway      string
		Base, Rev    uint64
		Joined, Left []Tag
	}

	// Life says every 2 s that the gateway lives, and what it has.
	Life struct {
		Log     int
		Gateway string
		Feed    uint64
		Covered Cursor
		// Prove, where it rises, asks where the end of the log is: a mark is written, and
		// a batch says where it stands.
		Prove uint64
	}

	// Who asks all workers who leads.
	Who struct {
		Log     int
		Gateway string
	}

	// Bye says to all workers that a gateway stops in order. A worker says it of one
	// whose death it has told.
	Bye struct {
		Gateway string
	}

	// Fill asks any worker for the events of Tags behind After up to To.
	Fill struct {
		Log     int
		Gateway string
		ID      uint64
		After   Position
		FP      Fingerprint // of the entry After
		To      Cursor
		Tags    []Tag
	}
)

// Cause is why a feed ends with a reset.
type Cause string

// Causes of a reset.
const (
	CauseTruncated Cause = "truncated" // retention has passed the position
	CauseAnother   Cause = "another"   // the log is not the one that was read
	CauseJump      Cause = "jump"      // entries are missing
	CausePanic     Cause = "panic"     // the program failed on an event
)
