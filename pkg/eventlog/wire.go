package eventlog

import (
	"errors"
	"fmt"
	"slices"
)

// wireVersion is the first byte of every message of the log.
const wireVersion = 1

// ErrWire is wrapped by every error of Decode.
var ErrWire = errors.New("not a message of the log: compare the versions and BELFRY_SHARDS of gateways and workers")

// fields lists the fields of a message in their order on the wire.
type fields interface{ code(c *coder) }

func (m *Claim) code(c *coder) { c.log(&m.Log); c.leader(&m.Leader) }

func (m *Batch) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Feed)
	c.uint(&m.Rev)
	c.cursor(&m.From)
	c.cursor(&m.To)
	c.int64(&m.End)
	c.uint(&m.Proved)
	c.int64(&m.ProvedAt)
	c.events(&m.Events)
}

func (m *Reset) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Feed)
	c.cursor(&m.At)
	text(c, &m.Cause)
}

func (m *Need) code(c *coder) { c.log(&m.Log); text(c, &m.Gateway); c.uint(&m.Feed) }

func (m *Filled) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.ID)
	c.position(&m.From)
	c.position(&m.To)
	c.fingerprint(&m.FP)
	c.bool(&m.Done)
	c.bool(&m.Gap)
	c.events(&m.Events)
}

func (m *Stale) code(c *coder) { c.log(&m.Log); text(c, &m.Gateway); c.leader(&m.Leader) }

func (m *Hello) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Feed)
	c.cursor(&m.Covered)
}

func (m *Snapshot) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Rev)
	c.uint(&m.Serial)
	c.number(&m.Part, maxParts)
	c.number(&m.Parts, maxParts)
	c.tags(&m.Tags)
}

// maxParts bounds the parts of a snapshot.
const maxParts = 1 << 16

func (m *Change) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Base)
	c.uint(&m.Rev)
	c.tags(&m.Joined)
	c.tags(&m.Left)
}

func (m *Life) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.Feed)
	c.cursor(&m.Covered)
	c.uint(&m.Prove)
}

func (m *Who) code(c *coder) { c.log(&m.Log); text(c, &m.Gateway) }

func (m *Bye) code(c *coder) { text(c, &m.Gateway) }

func (m *Fill) code(c *coder) {
	c.log(&m.Log)
	text(c, &m.Gateway)
	c.uint(&m.ID)
	c.position(&m.After)
	c.fingerprint(&m.FP)
	c.cursor(&m.To)
	c.tags(&m.Tags)
}

// Encode gives a message its AMQP type and body. The message is a value of this
// package, shards the installation's number of shards: Decode passes over a message of
// another. A value that is no message is a mistake of the program, and panics.
func Encode(shards int, message any) (kind string, body []byte) {
	for _, k := range kinds {
		if m := k.open(message); m != nil {
			c := coder{out: []byte{wireVersion}}
			c.log(&shards)
			m.code(&c)
			return k.name, c.out
		}
	}
	panic(fmt.Sprintf("eventlog: %T is not a message", message))
}

// Decode reads a message. It reports false for a type that is none of the log's. The
// payloads of events share the body's memory.
func Decode(shards int, kind string, body []byte) (message any, ours bool, err error) {
	at := slices.IndexFunc(kinds, func(k kindOf) bool { return k.name == kind })
	if at < 0 {
		return nil, false, nil
	}
	m, value := kinds[at].blank()
	if len(body) == 0 || body[0] != wireVersion {
		return nil, true, fmt.Errorf("%w (%s: version or length)", ErrWire, kind)
	}
	c := coder{reading: true, rest: body[1:]}
	of := 0
	if c.log(&of); c.bad || of != shards {
		return nil, true, fmt.Errorf("%w (%s: of %d shards, not %d)", ErrWire, kind, of, shards)
	}
	if m.code(&c); c.bad || len(c.rest) > 0 {
		return nil, true, fmt.Errorf("%w (%s: its fields)", ErrWire, kind)
	}
	return value(), true, nil
}
