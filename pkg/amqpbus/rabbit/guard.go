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
	gatherStep   = 64 << 10  // bytes made room for ahead of what has come
	heldCapacity = 256 << 10 // bytes kept for the next long frame
)

// guard stands between the socket and the library, which ends its whole
// connection on a header table that it does not read. Backends write such tables
// and the broker passes them on as they came, to one consumer after another. So
// guard mends the content headers among the frames that the broker sends (see
// mend) and lets everything else through untouched.
//
// It mends in the library's own buffer: what is copied is the beginning of a
// frame at the end of one read, to the start of the next, and no frame but a
// content header is waited for. Reads are one goroutine's, the library's.
type guard struct {
	net.Conn
	gate gate
	// frameMax is the negotiated bound of a frame, in bytes; 0: none.
	frameMax atomic.Int64

	pass int    // what is to come of a frame that goes through
	held []byte // the beginning of a frame that cannot be judged yet
	need int    // how many bytes of it must be there for that
	out  []byte // a frame longer than the library's buffer, on its way; shares memory with held
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

// gather reads the held frame in memory of its own.
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
	if len(rest) > 0 { // only its start was needed so far
		return nil
	}
	g.out, g.held = ready, g.held[:0]
	if cap(g.held) > heldCapacity {
		g.held = nil
	}
	return nil
}

// judge mends what is complete in b. It returns what may be passed on and the
// rest, which is less than the need that it sets.
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
