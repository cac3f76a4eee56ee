package wsconn

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

// patience bounds every wait. No test measures time with it.
const patience = 10 * time.Second

// server accepts websockets, echoes what it reads, and reports how each ended.
type server struct {
	*httptest.Server
	conns chan *Conn
	ended chan Ending
}

// echo is the handler of the tests.
type echo struct {
	conn  *Conn
	ended chan Ending
}

func (e *echo) Receive(message []byte) { e.conn.Send(FrameText(message)) }
func (e *echo) Crashed(any)            { e.conn.CloseNow() }
func (e *echo) Ended(end Ending)       { e.ended <- end }

func serve(t *testing.T, o Options) *server {
	t.Helper()
	o.Poller = poller
	return serveTo(t, o, func(c *Conn, ended chan Ending) Handler { return &echo{c, ended} })
}

func serveTo(t *testing.T, o Options, handler func(*Conn, chan Ending) Handler) *server {
	t.Helper()
	o = o.WithDefaults()
	s := &server{conns: make(chan *Conn, 16), ended: make(chan Ending, 1024)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, "", &o)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		s.conns <- c
		c.Serve(handler(c, s.ended))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) ending(t *testing.T) Ending {
	t.Helper()
	select {
	case e := <-s.ended:
		return e
	case <-time.After(patience):
		t.Fatal("the connection did not end")
		return Ending{}
	}
}

// peer is a client that may send any bytes.
type peer struct {
	t   *testing.T
	raw *net.TCPConn
	br  *bufio.Reader
}

func dial(t *testing.T, s *server) (*peer, *Conn) {
	t.Helper()
	p := connect(t, s, nil)
	return p, <-s.conns
}

// connect sends the handshake, and behind it early.
func connect(t *testing.T, s *server, early []byte) *peer {
	t.Helper()
	raw, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(patience))
	p := &peer{t, raw.(*net.TCPConn), bufio.NewReader(raw)}
	_, err = io.WriteString(raw, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+string(early))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(p.br, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake: %+v, %v", response, err)
	}
	return p
}

// frame encodes a client's masked frame, with the length in its shortest form.
func frame(first byte, payload string) []byte {
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, 0x80|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	key := [4]byte{1, 2, 3, 4}
	out = append(out, key[:]...)
	for i := range len(payload) {
		out = append(out, payload[i]^key[i%4])
	}
	return out
}

func closing(code uint16, reason string) []byte {
	return frame(0x88, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

func (p *peer) write(frames ...[]byte) {
	p.t.Helper()
	for _, f := range frames {
		if _, err := p.raw.Write(f); err != nil {
			p.t.Fatal(err)
		}
	}
}

// next reads one frame of the server and describes it, such as "text hello", "pong x",
// "close 1000".
func (p *peer) next() (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(p.br, head[:]); err != nil {
		return "", err
	}
	size := uint64(head[1])
	for form, bytes := range map[byte]int{126: 2, 127: 8} {
		if head[1] != form {
			continue
		}
		extended := make([]byte, 8)
		if _, err := io.ReadFull(p.br, extended[8-bytes:]); err != nil {
			return "", err
		}
		size = binary.BigEndian.Uint64(extended)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(p.br, payload); err != nil {
		return "", err
	}
	switch head[0] {
	case 0x81:
		return "text " + string(payload), nil
	case 0x89:
		return "ping " + string(payload), nil
	case 0x8A:
		return "pong " + string(payload), nil
	case 0x88:
		if len(payload) < 2 {
			return "close", nil
		}
		return fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload)), nil
	}
	return "", fmt.Errorf("a frame that begins with %#x", head[0])
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		got, err := p.next()
		if err != nil || got != w {
			p.t.Fatalf("got %.100q, %v, want %.100q", got, err, w)
		}
	}
}

// gone reads to the end of the connection.
func (p *peer) gone() {
	p.t.Helper()
	if got, err := p.next(); err == nil {
		p.t.Fatalf("got %.100q after the close", got)
	}
}

func by(code protocol.CloseCode) Ending { return Ending{ByGateway, code} }

// endingOf returns how a connection ended; the zero value while it is open.
func endingOf(c *Conn) Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}
