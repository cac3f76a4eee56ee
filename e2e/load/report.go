package load

import (
	"fmt"
	"strings"
	"time"
)

// Report is the checker's verdict over one connection, or the sum of many.
type Report struct {
	Attempted      int // emits published while the connection was subscribed to their group
	Confirmed      int // of those, confirmed to the publisher before the connection changed or left
	Delivered      int // events that came, each once
	LostWithoutGap int // owed, and neither delivered nor in a gap
	LostWithGap    int // owed, and named by a gap
	LostAtClose    int // on their way when the server closed the connection
	LostAtLeave    int // on their way when the client left the group
	Duplicated     int // events that came again
	Reordered      int // events that came after a later one of their publisher and group
	Ghost          int // events of a group that the connection was not subscribed to
	Denied         int // groups that the connection's user may not see, and was denied
	Unavailable    int // changes of the set that could not be made, so that the old set stayed
	Unauthorised   int // such groups that it was given, and events of them that came
	Unexpected     int // frames that are none of the above, events that nobody emitted

	// EarliestAtClose is how long before the close the first of LostAtClose was
	// confirmed.
	EarliestAtClose time.Duration

	// Examples describes the first findings.
	Examples []string
}

// Clean reports that nothing is there that must never be there.
func (r Report) Clean() bool { return r.CleanButDuplicates() && r.Duplicated == 0 }

// CleanButDuplicates is Clean for emits without a message id.
func (r Report) CleanButDuplicates() bool {
	return r.LostWithoutGap+r.Reordered+r.Ghost+r.Unauthorised+r.Unexpected == 0
}

func (r Report) String() string {
	text := fmt.Sprintf("attempted %d, confirmed %d, delivered %d, lost without gap %d, lost with gap %d, lost at close %d, lost at leave %d, duplicated %d, reordered %d, ghost %d, denied %d, unavailable %d, unauthorised %d, unexpected %d",
		r.Attempted, r.Confirmed, r.Delivered, r.LostWithoutGap, r.LostWithGap, r.LostAtClose, r.LostAtLeave, r.Duplicated, r.Reordered, r.Ghost, r.Denied, r.Unavailable, r.Unauthorised, r.Unexpected)
	if len(r.Examples) > 0 {
		text += "\n  " + strings.Join(r.Examples, "\n  ")
	}
	return text
}

func (r *Report) add(o Report) {
	r.Attempted += o.Attempted
	r.Confirmed += o.Confirmed
	r.Delivered += o.Delivered
	r.LostWithoutGap += o.LostWithoutGap
	r.LostWithGap += o.LostWithGap
	r.LostAtClose += o.LostAtClose
	r.EarliestAtClose = max(r.EarliestAtClose, o.EarliestAtClose)
	r.LostAtLeave += o.LostAtLeave
	r.Duplicated += o.Duplicated
	r.Reordered += o.Reordered
	r.Ghost += o.Ghost
	r.Denied += o.Denied
	r.Unavailable += o.Unavailable
	r.Unauthorised += o.Unauthorised
	r.Unexpected += o.Unexpected
	for _, example := range o.Examples {
		r.example("%s", example)
	}
}

func (r *Report) example(format string, args ...any) {
	if len(r.Examples) < 12 {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}
