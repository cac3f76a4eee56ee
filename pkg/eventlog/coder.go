package eventlog

import (
	"encoding/binary"

	"belfry/pkg/protocol"
)

// coder writes the fields of a message behind one another, or reads them: the same
// listing of fields does both. Numbers are varints, texts and bodies have their length
// in front.
type coder struct {
	reading bool
	rest    []byte // what is not read
	out     []byte // what was written
	bad     bool   // a field could not be read; those behind it are not
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	got, n := binary.Uvarint(c.rest)
	if n <= 0 || c.bad {
		c.bad = true
		return
	}
	*v, c.rest = got, c.rest[n:]
}

func (c *coder) int64(v *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *v)
		return
	}
	got, n := binary.Varint(c.rest)
	if n <= 0 || c.bad {
		c.bad = true
		return
	}
	*v, c.rest = got, c.rest[n:]
}

// number is a count or an index, 0 to most.
func (c *coder) number(v *int, most int) {
	x := uint64(*v)
	if c.uint(&x); x > uint64(most) {
		c.bad = true
		return
	}
	*v = int(x)
}

func (c *coder) log(v *int) { c.number(v, protocol.MaxShards) }

func (c *coder) bool(v *bool) {
	x := 0
	if *v {
		x = 1
	}
	c.number(&x, 1)
	*v = x == 1
}

// bytes reads a piece of the body that is decoded: its memory is shared.
func (c *coder) bytes(v *[]byte) {
	size := len(*v)
	switch c.length(&size, 1); {
	case c.bad:
	case c.reading:
		*v, c.rest = c.rest[:size:size], c.rest[size:]
	default:
		c.out = append(c.out, *v...)
	}
}

// length is a number of things that follow, of which each takes at least so many bytes.
func (c *coder) length(v *int, each int) {
	x := uint64(*v)
	if c.uint(&x); c.reading && x > uint64(len(c.rest)/each) {
		c.bad = true
		return
	}
	*v = int(x)
}

func text[T ~string](c *coder, v *T) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, uint64(len(*v)))
		c.out = append(c.out, *v...)
		return
	}
	var b []byte
	c.bytes(&b)
	*v = T(b)
}

func (c *coder) fingerprint(v *Fingerprint) {
	switch {
	case !c.reading:
		c.out = append(c.out, v[:]...)
	case c.bad || len(c.rest) < len(v):
		c.bad = true
	default:
		c.rest = c.rest[copy(v[:], c.rest):]
	}
}

func (c *coder) cursor(v *Cursor) {
	c.int64(&v.Offset)
	c.fingerprint(&v.FP)
}

func (c *coder) position(v *Position) {
	c.int64(&v.Offset)
	c.number(&v.Index, LastIndex)
}

func (c *coder) leader(v *Leader) {
	c.uint(&v.Term)
	text(c, &v.Worker)
}

// tags are eight bytes each: they are hashes, and a varint of one is longer.
func (c *coder) tags(v *[]Tag) {
	count := len(*v)
	switch c.length(&count, 8); {
	case c.bad || count == 0:
	case c.reading:
		*v = make([]Tag, count)
		for i := range *v {
			(*v)[i], c.rest = Tag(binary.BigEndian.Uint64(c.rest)), c.rest[8:]
		}
	default:
		for _, tag := range *v {
			c.out = binary.BigEndian.AppendUint64(c.out, uint64(tag))
		}
	}
}

// smallestEvent is the least that an event takes: six fields, one of them a fingerprint.
const smallestEvent = 5 + len(Fingerprint{})

func (c *coder) events(v *[]Event) {
	count := len(*v)
	c.length(&count, smallestEvent)
	if c.bad || count == 0 {
		return
	}
	if c.reading {
		*v = make([]Event, count)
	}
	for i := range *v {
		e := &(*v)[i]
		c.int64(&e.Offset)
		c.number(&e.Index, LastIndex)
		c.fingerprint(&e.FP)
		text(c, &e.Group)
		text(c, &e.Trace)
		c.bytes(&e.Payload)
	}
}
