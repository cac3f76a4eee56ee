package lead

import (
	"time"

	"belfry/pkg/eventlog"
)

// filling is one question that is being answered.
type filling struct {
	id       uint64 // the filler's
	question uint64 // the gateway's
	gateway  string
	tags     map[eventlog.Tag]struct{}
	to       eventlog.Cursor

	after  eventlog.Position // its reading begins here
	fp     eventlog.Fingerprint
	sent   eventlog.Position // the end of the last part
	sentFP eventlog.Fingerprint

	at     eventlog.Cursor // what was read of it
	begun  bool            // the entry after was met
	done   bool            // the entry to was met
	onWay  bool            // a part is not confirmed
	events []eventlog.Event
	bytes  int
	age    time.Duration // since it waits
}

func newFilling(id uint64, q eventlog.Fill) *filling {
	x := &filling{
		id: id, question: q.ID, gateway: q.Gateway, tags: make(map[eventlog.Tag]struct{}, len(q.Tags)), to: q.To,
		after: q.After, fp: q.FP, sent: q.After, sentFP: q.FP, at: eventlog.NoCursor,
	}
	for _, tag := range q.Tags {
		x.tags[tag] = struct{}{}
	}
	return x
}

// fails reports whether an entry shows that the log cannot tell what was missed.
func (x *filling) fails(cursor eventlog.Cursor, missing bool) bool {
	switch {
	case x.begun && missing:
	case !x.begun && cursor.Offset > x.after.Offset: // the entry that the connection has is not there
	case cursor.Offset == x.after.Offset && cursor.FP != x.fp: // or is another
	case cursor.Offset == x.to.Offset && cursor.FP != x.to.FP: // this is not the gateway's log
	case cursor.Offset > x.to.Offset:
	default:
		return false
	}
	return true
}

// read takes an entry, and reports whether that was the last.
func (x *filling) read(cursor eventlog.Cursor, events []eventlog.Event) bool {
	if cursor.Offset == x.after.Offset {
		x.begun = true
	}
	if !x.begun {
		return false
	}
	x.at, x.done = cursor, cursor == x.to
	for i := range events {
		e := &events[i]
		if _, wanted := x.tags[eventlog.TagOf(e.Group)]; wanted && x.after.Before(e.Position()) {
			x.events = append(x.events, *e)
			x.bytes += sizeOf(e)
		}
	}
	return x.done
}

// setDown leaves it where its last part ended: another reading goes on there.
func (x *filling) setDown() {
	x.after, x.fp, x.begun = x.sent, x.sentFP, false
	x.events, x.bytes = nil, 0
}
