package lead

import (
	"encoding/json"
	"unicode/utf8"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// Reasons for which an event is sent to nobody.
const (
	reasonGroup = "group out of bounds"
	reasonEmpty = "empty payload"
	reasonSize  = "payload over 1 MiB"
	reasonUTF8  = "payload is not valid UTF-8"
	reasonJSON  = "payload is not JSON"
	reasonPack  = "pack cannot be read"
)

// Reasons lists those that the rules find. The set is closed: it labels a metric.
func Reasons() []string {
	return []string{reasonGroup, reasonEmpty, reasonSize, reasonUTF8, reasonJSON, reasonPack}
}

// eventsOf reads what an entry says: nothing, if it is a mark or a duplicate, and
// without the events that nobody can be sent, which reject is told (nil: nobody wants to
// know). Every reader decides alike, by the log alone.
func eventsOf(r *reader, e *eventlog.Entry, cursor eventlog.Cursor, reject func(index int, reason string)) []eventlog.Event {
	if r.duplicates.Seen(e) || e.Type == MarkType {
		return nil
	}
	var events []eventlog.Event
	each(e, func(index int, p *eventlog.Packed, reason string) {
		switch {
		case reason == "":
			events = append(events, eventlog.Event{
				Offset: cursor.Offset, Index: index, FP: cursor.FP, Group: p.Group, Trace: p.Trace, Payload: p.Payload,
			})
		case reject != nil:
			reject(index, reason)
		}
	})
	return events
}

// each takes an entry apart, and says of each event why nobody can be sent it; empty:
// it can be sent.
func each(e *eventlog.Entry, do func(index int, p *eventlog.Packed, reason string)) {
	if e.Refused != "" {
		do(eventlog.LastIndex, nil, e.Refused)
		return
	}
	if e.Type != eventlog.PackType {
		p := eventlog.Packed{Group: protocol.Group(e.Group), Trace: e.Trace, Payload: e.Body}
		if e.Group == "" {
			p.Group = protocol.Group(e.Key)
		}
		do(eventlog.LastIndex, &p, unfit(&p))
		return
	}
	packed, err := eventlog.Unpack(e.Body)
	if err != nil {
		do(eventlog.LastIndex, nil, reasonPack)
		return
	}
	for i := range packed {
		do(i, &packed[i], unfit(&packed[i]))
	}
}

func unfit(p *eventlog.Packed) string {
	if _, err := protocol.ParseGroup(string(p.Group)); err != nil {
		return reasonGroup
	}
	switch {
	case len(p.Payload) == 0:
		return reasonEmpty
	case len(p.Payload) > protocol.MaxPayload:
		return reasonSize
	case !utf8.Valid(p.Payload):
		return reasonUTF8
	case !json.Valid(p.Payload):
		return reasonJSON
	}
	return ""
}

// parking keeps what cannot be sent for people to look at. Only the main reader does,
// and not what came while nobody led.
func (m *Machine) parking(e *eventlog.Entry) func(index int, reason string) {
	return func(index int, reason string) { m.add(Park{Entry: *e, Index: index, Reason: reason}) }
}

func sizeOf(e *eventlog.Event) int {
	return eventOverhead + len(e.Group) + len(e.Payload) + len(e.Trace)
}
