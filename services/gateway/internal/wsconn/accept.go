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

// bufferSize is that of the library's buffers. A control frame of a server has
// at most 127 bytes; it must fit, or it would reach wire.Write in parts.
const bufferSize = 128

// Accept upgrades a request whose handshake the caller has checked (method,
// version, key, origin), and agrees to a subprotocol that it asks for; empty: to
// none. On error the request is answered or the connection
// gone. The caller then lets the handler return, so that the request and its
// buffers are freed, and reads in a goroutine of its own.
//
// o must have its defaults and stay unchanged.
func Accept(w http.ResponseWriter, r *http.Request, subprotocol string, o *Options) (*Conn, error) {
	c := &Conn{opts: o}
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
	c.ws = ws
	return c, nil
}

// takeover is the response writer whose Hijack hands out our connection.
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
		c.early = append([]byte(nil), peeked...)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("clear the deadlines: %w", err)
	}
	c.describe()
	own := (*wire)(c)
	return own, bufio.NewReadWriter(bufio.NewReaderSize(own, bufferSize), bufio.NewWriterSize(own, bufferSize)), nil
}

// describe learns what the socket can do, and sizes its buffer. A failure only
// costs speed.
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
