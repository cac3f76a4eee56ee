package eventlog

import (
	"errors"
	"fmt"

	"belfry/pkg/protocol"
)

// PackType is the AMQP type of an entry that is a pack: events that waited for the
// broker at the same time and travel as one. Its events have the indexes 0, 1, 2 ...
const PackType = "pack2"

// Bounds of a pack.
const (
	MaxPackEvents = LastIndex + 1
	// MaxPackBytes is what an emitter puts into a pack. One event that is larger
	// travels as an entry of its own.
	MaxPackBytes = 256 << 10
	// maxPackRead is what a reader takes: the bound of any entry.
	maxPackRead = 1 << 20
)

const packVersion = 1

// Packed is one event of a pack. Whether the group and the payload are such as may be
// sent is for the reader to see, event by event.
type Packed struct {
	Group   protocol.Group
	Trace   string // W3C traceparent, or empty
	Payload []byte
}

func (p *Packed) code(c *coder) {
	text(c, &p.Group)
	text(c, &p.Trace)
	c.bytes(&p.Payload)
}

// Pack is events on their way into one entry. The zero value is empty. An emitter that
// does not know whether a pack arrived sends it again unchanged, with its message id:
// then none of its events is delivered twice. It is not for concurrent use.
type Pack struct {
	c      coder
	events int
}

// Add puts an event at the end. It reports false, and changes nothing, when there is
// no room for it: then the pack is to be sent first, or, when it is empty, the event
// without one.
func (p *Pack) Add(e Packed) bool {
	before := len(p.c.out)
	if before == 0 {
		p.c.out = append(p.c.out, packVersion)
	}
	e.code(&p.c)
	if p.events == MaxPackEvents || len(p.c.out) > MaxPackBytes {
		p.c.out = p.c.out[:before]
		return false
	}
	p.events++
	return true
}

// Events is how many there are.
func (p *Pack) Events() int { return p.events }

// Body is the entry's body: a version byte, then group, trace and payload of each
// event, each with its length in front as an unsigned varint. Add changes it.
func (p *Pack) Body() []byte { return p.c.out }

// ErrPack is wrapped by every error of Unpack.
var ErrPack = errors.New("not a pack of events")

// Unpack reads the body of an entry of type PackType: 1 to MaxPackEvents events. The
// payloads share its memory. The errors do not quote it.
func Unpack(body []byte) ([]Packed, error) {
	switch {
	case len(body) > maxPackRead:
		return nil, fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrPack, len(body), maxPackRead)
	case len(body) < 2 || body[0] != packVersion:
		return nil, fmt.Errorf("%w: it is empty or of another version", ErrPack)
	}
	c := coder{reading: true, rest: body[1:]}
	var events []Packed
	for len(c.rest) > 0 {
		var e Packed
		e.code(&c)
		if c.bad {
			return nil, fmt.Errorf("%w: its event %d is cut off", ErrPack, len(events))
		}
		if events = append(events, e); len(events) > MaxPackEvents {
			return nil, fmt.Errorf("%w: it has more than %d events", ErrPack, MaxPackEvents)
		}
	}
	return events, nil
}
