package rabbit

import (
	"encoding/binary"
	"net"
	"slices"
	"sync/atomic"
)

// A frame is a start (type, channel, size), its payload, and an end octet (AMQP
// 0-9-1 2.3.5).
const (
	frameHeader  = 2 // the type of a content header
	frameStart   = 7
	frameEnd     = 1
	gatherStep   = 64 << 10  // most bytes by which held grows before they have arrived
	heldCapacity = 256 << 10 // largest buffer that is kept for the next long frame
)

// guard is the socket that the library gets. The library ends its whole connection if a header
// table has something that it cannot decode. Any backend can send such a table, and the broker
// passes it on unchanged, to one consumer after another. So guard repairs the content headers
// in what the broker sends (see mend), and passes everything else on unchanged.
//
// It repairs content headers in the library's own buffer. Only the beginning of an incomplete
// frame is copied, from the end of one read to the start of the next, and only content headers
// are held until they are complete. One goroutine reads: the library's.
type guard struct {
	net.Conn
	gate gate
	// frameMax is the negotiated bound of a frame, in bytes; 0: none.
	frameMax atomic.Int64

	pass int    // bytes still to come of a frame that is passed on unchanged
	held []byte // the beginning of an incomplete frame
	need int    // how many bytes of that frame are needed to go on
	out  []byte // the rest of a frame that is longer than the library's buffer; shares memory with held
}

func (g *guard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(g.out) > 0 {
			n := copy(p, g.out)
			g.out = g.out[n:]
			return n, nil
		}
		if len(g.held) > 0 && g.need > len(p) {
			if err := g.gather(); err != nil {
				return 0, err
			}
			continue
		}
		g.gate.pass(g.Conn)
		n := copy(p, g.held)
		m, err := g.Conn.Read(p[n:])
		if m == 0 && err != nil {
			return 0, err
		}
		ready, rest := g.judge(p[:n+m])
		g.held = append(g.held[:0], rest...)
		if len(ready) > 0 || err != nil {
			return len(ready), err
		}
	}
}

// Close also ends a wait at the gate.
func (g *guard) Close() error {
	g.gate.remove()
	return g.Conn.Close()
}

// gather reads the rest of the held frame into held, because it is longer than the library's
// buffer.
func (g *guard) gather() error {
	for len(g.held) < g.need {
		old := len(g.held)
		g.held = slices.Grow(g.held, min(g.need-old, gatherStep))
		n, err := g.Conn.Read(g.held[old:min(g.need, cap(g.held))])
		g.held = g.held[:old+n]
		if err != nil && len(g.held) < g.need {
			return err
		}
	}
	ready, rest := g.judge(g.held)
	if len(rest) > 0 { // only its start is there so far
		return nil
	}
	g.out, g.held = ready, g.held[:0]
	if cap(g.held) > heldCapacity {
		g.held = nil
	}
	return nil
}

// judge repairs the complete content headers in b. It returns what the library may get, and the
// rest, which is shorter than need, which it sets.
func (g *guard) judge(b []byte) (ready, rest []byte) {
	for at := 0; at < len(b); {
		if g.pass > 0 {
			n := min(g.pass, len(b)-at)
			g.pass -= n
			at += n
			continue
		}
		frame := b[at:]
		if len(frame) < frameStart {
			g.need = frameStart
			return b[:at], frame
		}
		size := frameStart + int(binary.BigEndian.Uint32(frame[3:])) + frameEnd
		if frame[0] != frameHeader {
			g.pass = size
			continue
		}
		if len(frame) < size {
			g.need = size
			return b[:at], frame
		}
		kept := mend(frame[:size], int(g.frameMax.Load()))
		if kept < size {
			b = append(b[:at+kept], frame[size:]...)
		}
		at += kept
	}
	return b, nil
}
