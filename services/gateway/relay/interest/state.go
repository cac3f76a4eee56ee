package interest

// State is where a group is in this gateway.
//
//	absent ──> joining ──> present <──> lingering
//	  ^  ^       │  │ ^────────┐            │
//	  │  └───────┘  └──────────┼─> lingering │
//	  └───────── leaving <─────┴────────────┘
//
// A joining group goes back to absent when nobody wants it any more and its
// interest was certainly not stored; to leaving when that is uncertain; and to
// lingering when it is confirmed and nobody wants it.
type State uint8

// The states. A route is active in Present and Lingering only.
const (
	Absent    State = iota
	Joining         // to be announced, or announced and not confirmed
	Present         // confirmed, with references
	Lingering       // confirmed, without references
	Leaving         // the leave is to be announced, or not confirmed
)

const states = 5

// legal is the table of moves: legal[from][to].
var legal = [states][states]bool{
	Absent:    {Joining: true},
	Joining:   {Present: true, Lingering: true, Leaving: true, Absent: true},
	Present:   {Lingering: true},
	Lingering: {Present: true, Leaving: true},
	Leaving:   {Joining: true, Absent: true},
}

// May reports whether the table has the move.
func (s State) May(to State) bool { return s < states && to < states && legal[s][to] }

// Active reports that a group in this state is routed here.
func (s State) Active() bool { return s == Present || s == Lingering }

func (s State) String() string {
	return [states]string{"absent", "joining", "present", "lingering", "leaving"}[s]
}
