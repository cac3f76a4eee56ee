package lead

import (
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// eventOf reads what an entry says: nil for a mark, a duplicate, or what nobody can
// be sent. Every reader decides alike, by the log alone.
func eventOf(r *reader, e *eventlog.Entry, cursor eventlog.Cursor) *eventlog.Event {
	duplicate := r.duplicates.Seen(e)
	group, err := groupOf(e)
	if e.Type == MarkType || duplicate || err != nil {
		return nil
	}
	return &eventlog.Event{
		Offset: cursor.Offset, Index: eventlog.LastIndex, FP: cursor.FP, Group: group, Trace: e.Trace, Payload: e.Body,
	}
}

func groupOf(e *eventlog.Entry) (protocol.Group, error) {
	if e.Group != "" {
		return protocol.ParseGroup(e.Group)
	}
	return protocol.ParseGroup(e.Key)
}

// park keeps what cannot be sent for people to look at. Only the main reader does.
func (m *Machine) park(e *eventlog.Entry) {
	if e.Type == MarkType {
		return
	}
	if _, err := groupOf(e); err != nil {
		m.add(Park{Entry: *e, Reason: err.Error()})
	}
}

func sizeOf(e *eventlog.Event) int {
	return eventOverhead + len(e.Group) + len(e.Payload) + len(e.Trace)
}
