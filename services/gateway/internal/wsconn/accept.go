package wsconn

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"nhooyr.io/websocket"
)

// bufferSize is the size of the library's read and write buffers in bytes. A server's
// control frame has at most 127 bytes; it must fit, or wire.Write would get it in parts.
const bufferSize = 128

// Accept upgrades a request to a websocket. The caller has checked the handshake
// already: method, version, key and origin. subprotocol is the one to agree to, of
// those that the request offers; empty means none. On error the request has been
// answered or its connection closed.
//
// After success the caller should let the HTTP handler return, so that the request and
// its buffers are freed, and call Read in a goroutine of its own.
//
// o must come from WithDefaults and must not change afterwards.
func Accept(w http.ResponseWriter, r *http.Request, subprotocol string, o *Options) (*Conn, error) {
	c := &Conn{opts: o, reading: new(reading)}
	hijacker := &takeover{ResponseWriter: w, conn: c}
	var agreed []string
	if subprotocol != "" {
		agreed = []string{subprotocol}
	}
	ws, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{
		Subprotocols:       agreed,
		InsecureSkipVerify: true, // the origin was checked, more strictly, by the caller
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		if c.raw != nil {
			_ = c.raw.Close()
		}
		return nil, fmt.Errorf("accept websocket: %w", err)
	}
	ws.SetReadLimit(-1) // the scanner has the limit
	c.reading.ws = ws
	return c, nil
}

// takeover is a response writer whose Hijack returns our wire instead of the socket.
type takeover struct {
	http.ResponseWriter
	conn *Conn
}

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack the connection: %w", err)
	}
	c := t.conn
	c.raw = raw
	if n := buffered.Reader.Buffered(); n > 0 {
		peeked, _ := buffered.Reader.Peek(n) // n bytes are there
		c.reading.early = append([]byte(nil), peeked...)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("clear the deadlines: %w", err)
	}
	c.describe()
	own := (*wire)(c)
	return own, smallBuffers(own), nil
}

func smallBuffers(raw net.Conn) *bufio.ReadWriter {
	return bufio.NewReadWriter(bufio.NewReaderSize(raw, bufferSize), bufio.NewWriterSize(raw, bufferSize))
}

// describe sets the socket's send buffer and finds its descriptor. If either fails,
// writes are slower but still correct.
func (c *Conn) describe() {
	if s, ok := c.raw.(interface{ SetWriteBuffer(bytes int) error }); ok && c.opts.SendBuffer > 0 {
		_ = s.SetWriteBuffer(c.opts.SendBuffer)
	}
	if s, ok := c.raw.(syscall.Conn); ok {
		if fd, err := s.SyscallConn(); err == nil {
			c.fd = fd
		}
	}
}
