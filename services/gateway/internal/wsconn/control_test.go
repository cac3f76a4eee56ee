package wsconn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hijacked is a response writer whose Hijack returns a pipe, so that its waits are in
// the test's virtual time.
type hijacked struct {
	*httptest.ResponseRecorder
	raw net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.raw, bufio.NewReadWriter(bufio.NewReader(h.raw), bufio.NewWriter(h.raw)), nil
}

// piped makes a connection that echoes, inside a synctest bubble, and its client.
func piped(t *testing.T) (client net.Conn, ended chan Ending) {
	t.Helper()
	client, raw := net.Pipe()
	o := Options{}.WithDefaults()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	c, err := Accept(hijacked{httptest.NewRecorder(), raw}, r, "", &o)
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan Ending, 1)
	c.Serve(&echo{c, ended})
	return client, ended
}

// TestSlowControlFrame: on a slow network a control frame may take longer than the
// library would wait for it. The time is virtual.
func TestSlowControlFrame(t *testing.T) {
	text, bye := frame(0x81, "on"), closing(1000, "")
	whole := Ending{ByClient, 1000}
	for _, c := range []struct {
		name   string
		stream []byte
		cut    []int
		want   string // bytes of the server
		ending Ending
	}{
		{"ping after one byte", frame(0x89, "abc"), []int{1}, "\x8a\x03abc", whole},
		{"ping before its mask", frame(0x89, "abc"), []int{2}, "\x8a\x03abc", whole},
		{"ping within its mask", frame(0x89, "abc"), []int{4}, "\x8a\x03abc", whole},
		{"ping before its payload", frame(0x89, "abc"), []int{6}, "\x8a\x03abc", whole},
		{"ping within its payload", frame(0x89, "abc"), []int{7}, "\x8a\x03abc", whole},
		{"ping in three pieces", frame(0x89, "abc"), []int{6, 8}, "\x8a\x03abc", whole},
		{"the longest ping", frame(0x89, strings.Repeat("p", 125)), []int{130}, "\x8a\x7d" + strings.Repeat("p", 125), whole},
		{"pong", frame(0x8a, "abc"), []int{7}, "", whole},
		{"behind a text, in one piece with it", slices.Concat(frame(0x81, "a"), frame(0x89, "b")), []int{13}, "\x81\x01a\x8a\x01b", whole},
		{"between fragments", slices.Concat(frame(0x01, "he"), frame(0x89, "p"), frame(0x80, "llo")), []int{14}, "\x8a\x01p\x81\x05hello", whole},
		{"close within its code", closing(4000, "bye"), []int{7}, "", Ending{ByClient, 4000}},
		{"close within its reason", closing(4000, "bye"), []int{9}, "", Ending{ByClient, 4000}},
		{"a wrong close", closing(999, ""), []int{6}, "", by(1002)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, ended := piped(t)
				said := make(chan string, 1)
				go func() {
					all, _ := io.ReadAll(client)
					said <- string(all)
				}()
				at := 0
				for _, cut := range c.cut {
					write(t, client, c.stream[at:cut])
					at = cut
					<-time.After(9 * time.Second)
				}
				want := c.want
				if c.ending == whole {
					write(t, client, slices.Concat(c.stream[at:], text))
					write(t, client, bye)
					want += "\x81\x02on"
				} else {
					write(t, client, c.stream[at:])
				}
				if end := <-ended; end != c.ending {
					t.Errorf("it ended as %+v, want %+v", end, c.ending)
				}
				if got := <-said; !strings.HasPrefix(got, want+"\x88") {
					t.Errorf("the server said %q, want %q and a close frame", got, want)
				}
			})
		})
	}
}

func write(t *testing.T, client net.Conn, p []byte) {
	t.Helper()
	if _, err := client.Write(p); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// TestControlFramesReachTheLibraryWhole cuts every stream of the conformance table into
// pieces: what the library reads never ends inside a control frame, and no byte is lost,
// repeated or out of order.
func TestControlFramesReachTheLibraryWhole(t *testing.T) {
	o := Options{}.WithDefaults()
	for _, c := range conformance {
		stream := slices.Concat(c.frames...)
		for size := 1; size <= 140; size += 3 {
			t.Run(fmt.Sprintf("%s/%d", c.name, size), func(t *testing.T) {
				var once scanner
				good, _ := once.scan(stream, &o)
				k := &Conn{opts: &o, raw: &pieces{stream, size}, reading: new(reading)}
				var seen []byte
				var library scanner
				p := make([]byte, bufferSize)
				for {
					n, err := (*wire)(k).Read(p)
					seen = append(seen, p[:n]...)
					library.scan(p[:n], &o)
					if k.scan.broken == 0 && k.reading.held.ready == 0 && library.begun() != 0 {
						t.Fatalf("after %d bytes the library waits within a control frame", len(seen))
					}
					if err != nil {
						break
					}
				}
				if !strings.HasPrefix(string(stream), string(seen)) || k.scan.broken == 0 && len(seen) != good {
					t.Fatalf("the library saw %d bytes of %d", len(seen), good)
				}
			})
		}
	}
}

// pieces is a socket that returns its bytes in pieces of the given size and accepts every
// write.
type pieces struct {
	left []byte
	size int
}

func (s *pieces) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.left[:min(s.size, len(s.left))])
	s.left = s.left[n:]
	return n, nil
}

func (s *pieces) Write(p []byte) (int, error)      { return len(p), nil }
func (s *pieces) Close() error                     { return nil }
func (s *pieces) LocalAddr() net.Addr              { return nil }
func (s *pieces) RemoteAddr() net.Addr             { return nil }
func (s *pieces) SetDeadline(time.Time) error      { return nil }
func (s *pieces) SetReadDeadline(time.Time) error  { return nil }
func (s *pieces) SetWriteDeadline(time.Time) error { return nil }
