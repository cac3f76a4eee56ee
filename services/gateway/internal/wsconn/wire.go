package wsconn

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
	"unicode/utf8"

	"belfry/pkg/protocol"
)

// wire is the connection as the library sees it: reads are checked, writes go
// through the outbox, and Close leaves the socket to Finish.
type wire Conn

var errBroken = errors.New("the client broke the protocol")

// Read implements net.Conn for the library, on the reading goroutine. It hands
// control frames on whole: the library gives up on one whose end is not there
// within five seconds of its header, and then drops the connection without a
// close frame. How long a client may take is MessageTimeout, for all frames.
func (w *wire) Read(p []byte) (int, error) {
	c := (*Conn)(w)
	for {
		if n := c.kept.take(p); n > 0 {
			return n, nil
		}
		if c.scan.broken != 0 {
			c.Close(c.scan.broken, "")
			return 0, errBroken
		}
		n, err := c.readRaw(p)
		if n == 0 {
			return 0, err
		}
		good, begun := c.look(p[:n])
		if c.kept.empty() && begun == 0 && good > 0 {
			return good, err
		}
		c.kept.add(p[:good], begun) // an error comes again at the next read
	}
}

// look scans what has arrived. It returns how many bytes the library may see,
// and how many of them, at the end, are those of an unfinished control frame.
func (c *Conn) look(p []byte) (good, begun int) {
	c.received.Add(1)
	good, c.scan.broken = c.scan.scan(p, c.opts)
	switch {
	case !c.scan.unfinished():
		c.unfinished.Store(0)
	case c.scan.turned || c.unfinished.Load() == 0:
		c.unfinished.Store(time.Now().UnixNano())
	}
	c.scan.turned = false
	if c.scan.broken != 0 {
		return good, 0 // the next read answers it
	}
	return good, c.scan.begun()
}

func (c *Conn) readRaw(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.raw.Read(p) //nolint:wrapcheck // net.Conn's errors go to the library as they are
}

// Write implements net.Conn for the library, which writes whole control frames
// only: a pong, or the echo of the client's close frame. It never blocks.
func (w *wire) Write(p []byte) (int, error) {
	c := (*Conn)(w)
	if p[0] == fin|opClose {
		c.echoClose(p[2:])
		return len(p), nil
	}
	c.Send(append([]byte(nil), p...))
	return len(p), nil
}

// echoClose answers the client's close frame with its own code, unless we have
// closed already.
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

// Close implements net.Conn for the library. It ends a read that is under way;
// the socket itself is closed by Finish, after the close frame is out.
func (w *wire) Close() error {
	return w.raw.SetReadDeadline(time.Unix(1, 0))
}

// The rest of net.Conn. The library never sets deadlines.

func (w *wire) LocalAddr() net.Addr                { return w.raw.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.raw.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error      { return w.raw.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.raw.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.raw.SetWriteDeadline(t) }
