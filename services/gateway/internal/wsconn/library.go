package wsconn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"nhooyr.io/websocket"
)

// library is an object of the websocket library that reads for many connections, one
// whole frame at a time: a text message in one frame, or a ping. Between two frames it
// holds nothing of a connection. It is owned by one goroutine.
type library struct {
	ws   *websocket.Conn // nil: created by the next read
	conn *Conn           // the connection whose frame is read
	in   []byte          // the rest of the frame
}

var errMisread = errors.New("the websocket library did not read a frame to its end")

// read lets the library read a whole frame that the scanner has checked. The message is
// nil for a ping, which the library answers. After an error the object is dropped, so
// that no part of the frame can reach another connection.
func (l *library) read(c *Conn, frame []byte) (message []byte, err error) {
	if l.ws == nil {
		if l.ws, err = newReader(l); err != nil {
			return nil, err
		}
	}
	l.conn, l.in = c, frame
	_, message, err = l.ws.Read(context.Background())
	l.conn = nil
	switch {
	case err == nil && len(l.in) == 0:
		return message, nil
	case errors.Is(err, errQuiet) && len(l.in) == 0:
		return nil, nil
	case err == nil:
		err = errMisread
	}
	l.close()
	return nil, fmt.Errorf("read message: %w", err)
}

// close ends the library's goroutine.
func (l *library) close() {
	if l.ws != nil {
		_ = l.ws.CloseNow()
	}
	*l = library{}
}

// Read implements net.Conn for the library.
func (l *library) Read(p []byte) (int, error) {
	if len(l.in) == 0 {
		return 0, errQuiet
	}
	n := copy(p, l.in)
	l.in = l.in[n:]
	return n, nil
}

// Write implements net.Conn for the library. A pong goes to the connection whose ping is
// read.
func (l *library) Write(p []byte) (int, error) {
	if l.conn == nil {
		return 0, io.ErrClosedPipe
	}
	return (*wire)(l.conn).Write(p)
}

// The rest of net.Conn. The library calls only Close.

func (l *library) Close() error                     { return nil }
func (l *library) LocalAddr() net.Addr              { return nil }
func (l *library) RemoteAddr() net.Addr             { return nil }
func (l *library) SetDeadline(time.Time) error      { return nil }
func (l *library) SetReadDeadline(time.Time) error  { return nil }
func (l *library) SetWriteDeadline(time.Time) error { return nil }

// newReader creates an object of the library that reads from raw, a connection whose
// handshake is over. The library can create one only by a handshake, so this one has a
// fixed request and discards the answer.
func newReader(raw net.Conn) (*websocket.Conn, error) {
	ws, err := websocket.Accept(&stage{header: http.Header{}, raw: raw}, &http.Request{
		Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Header: rehearsed,
	}, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, fmt.Errorf("make a websocket reader: %w", err)
	}
	ws.SetReadLimit(-1) // the scanner has the limit
	return ws, nil
}

// rehearsed is the header of newReader's request, with the key of RFC 6455 1.3.
var rehearsed = http.Header{
	"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
	"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
}

// stage is newReader's response writer. Only its Hijack has an effect.
type stage struct {
	header http.Header
	raw    net.Conn
}

func (s *stage) Header() http.Header         { return s.header }
func (s *stage) WriteHeader(int)             {}
func (s *stage) Write(p []byte) (int, error) { return len(p), nil }

// Hijack implements http.Hijacker.
func (s *stage) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return s.raw, smallBuffers(s.raw), nil
}

var _ net.Conn = (*library)(nil)
