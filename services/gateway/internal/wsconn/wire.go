package wsconn

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
	"unicode/utf8"

	"belfry/pkg/protocol"
)

// wire is the net.Conn that the library gets: it checks what is read, sends what is
// written through the outbox, and does not close the socket, which finish does.
type wire Conn

var errBroken = errors.New("the client broke the protocol")

// Read implements net.Conn for the library, on the goroutine that reads. It passes on only
// complete control frames: if the rest of one takes over five seconds, the library drops
// the connection without a close frame. MessageTimeout bounds it here, as it does data
// frames.
func (w *wire) Read(p []byte) (int, error) {
	c := (*Conn)(w)
	for {
		if n := c.reading.held.read(p); n > 0 {
			return n, nil
		}
		if c.scan.broken != 0 {
			c.Close(c.scan.broken, "")
			return 0, errBroken
		}
		if c.mayIdle() {
			return 0, errQuiet
		}
		n, err := c.readRaw(p)
		if n == 0 {
			return 0, err
		}
		good, begun := c.inspect(p[:n])
		if c.reading.held.empty() && begun == 0 && good > 0 {
			return good, err
		}
		c.reading.held.add(p[:good], begun) // the next read gets the same error again
	}
}

// inspect scans bytes that have arrived. It returns how many of them the library may
// get, and how many of those, at the end, belong to an incomplete control frame.
func (c *Conn) inspect(p []byte) (good, begun int) {
	c.received.Add(1)
	good, c.scan.broken = c.scan.scan(p, c.opts)
	switch {
	case !c.scan.unfinished():
		c.unfinished.Store(0)
	case c.scan.boundary || c.unfinished.Load() == 0:
		c.unfinished.Store(time.Now().UnixNano())
	}
	c.scan.boundary = false
	if c.scan.broken != 0 {
		return good, 0 // the next read closes the connection
	}
	return good, c.scan.begun()
}

func (c *Conn) readRaw(p []byte) (int, error) {
	r := c.reading
	if len(r.early) > 0 {
		n := copy(p, r.early)
		if r.early = r.early[n:]; len(r.early) == 0 {
			r.early = nil
		}
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return c.raw.Read(p) //nolint:wrapcheck // net.Conn's errors go to the library as they are
}

// Write implements net.Conn for the library, which only writes whole control frames: a
// pong, or the echo of the client's close frame. It never blocks.
func (w *wire) Write(p []byte) (int, error) {
	c := (*Conn)(w)
	if p[0] == fin|opClose {
		c.echoClose(p[2:])
		return len(p), nil
	}
	c.Send(append([]byte(nil), p...))
	return len(p), nil
}

// echoClose answers the client's close frame with the same code, unless the gateway has
// closed the connection already.
func (c *Conn) echoClose(payload []byte) {
	end := Ending{ByClient, statusNone}
	if len(payload) >= 2 {
		end.Code = protocol.CloseCode(binary.BigEndian.Uint16(payload))
		if !utf8.Valid(payload[2:]) {
			c.Close(protocol.CloseInvalidUTF8, "")
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(end, "")
}

// Close implements net.Conn for the library. It ends a read that is under way. finish
// closes the socket itself, after the close frame was sent.
func (w *wire) Close() error {
	if w.reading.dropping.Load() {
		return nil
	}
	return w.raw.SetReadDeadline(time.Unix(1, 0))
}

// The rest of net.Conn. The library never sets deadlines.

func (w *wire) LocalAddr() net.Addr                { return w.raw.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.raw.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error      { return w.raw.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.raw.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.raw.SetWriteDeadline(t) }
