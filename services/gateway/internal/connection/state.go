package connection

// State is where a connection is in its life. It only moves forward.
type State uint8

// The states. A connection whose token is refused goes from Connecting to
// Closed and is never reported.
const (
	Connecting State = iota // the worker is being asked; nothing can be subscribed
	Open                    // messages are handled
	Draining                // a close was asked for; messages are discarded
	Closed                  // reported, forgotten by the hub
)

// legal is the table of moves: legal[from][to].
var legal = [...][4]bool{
	Connecting: {Open: true, Closed: true},
	Open:       {Draining: true, Closed: true},
	Draining:   {Closed: true},
	Closed:     {},
}

// Move returns the state after a move to the given state. If the table does not
// allow the move, ok is false and the state stays the same.
func (s State) Move(to State) (now State, ok bool) {
	if !legal[s][to] {
		return s, false
	}
	return to, true
}

func (s State) String() string {
	return [...]string{"connecting", "open", "draining", "closed"}[s]
}
