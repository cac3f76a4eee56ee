package connection

// State is where a connection is in its life. It only moves forward.
type State uint8

// The states. A connection whose token is refused goes from Connecting to
// Closed and is never reported.
const (
	Connecting State = iota // the worker is being asked; nothing can be subscribed
	Open                    // messages are handled
	Draining                // a close was asked for; messages are thrown away
	Closed                  // reported, forgotten by the hub
)

// legal is the table of moves: legal[from][to].
var legal = [...][4]bool{
	Connecting: {Open: true, Closed: true},
	Open:       {Draining: true, Closed: true},
	Draining:   {Closed: true},
	Closed:     {},
}

// Move returns the state after a move to the given state; ok is false, and the
// state the old one, when the table does not have it.
func (s State) Move(to State) (now State, ok bool) {
	if !legal[s][to] {
		return s, false
	}
	return to, true
}

func (s State) String() string {
	return [...]string{"connecting", "open", "draining", "closed"}[s]
}
