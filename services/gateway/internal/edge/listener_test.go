package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func serve(t *testing.T, e *Edge, perAddress int) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := e.Limit(l)
	limited.perAddress = perAddress
	server := NewServer(e, e.o.Logger)
	server.IdleTimeout, server.ReadTimeout, server.ReadHeaderTimeout = time.Hour, 0, 0 // so that the Edge ends what ends
	served := make(chan error, 1)
	go func() { served <- server.Serve(limited) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestListenerLimitsConnections: a connection that never becomes a websocket counts, too.
// One more than allowed is closed at once; after one has ended, another is accepted.
func TestListenerLimitsConnections(t *testing.T) {
	e := newEdge(t, Options{})
	address := serve(t, e, 3)
	var held []net.Conn
	for range 3 {
		conn := dial(t, address)
		if _, err := io.WriteString(conn, "GET /websocket HTTP/1.1\r\n"); err != nil { // and no end
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	if n, err := dial(t, address).Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the fourth connection got %d bytes, %v", n, err)
	}
	if n := testutil.ToFloat64(e.metrics.unaccepted); n != 1 {
		t.Errorf("%v were counted as not accepted", n)
	}
	_ = held[0].Close()
	for { // until the server has seen the end
		conn := dial(t, address)
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"); err == nil {
			if answer, err := io.ReadAll(conn); err == nil && len(answer) > 0 {
				return
			}
		}
		if t.Context().Err() != nil {
			t.Fatal("the place was not given back")
		}
	}
}

// TestRefusalClosesConnection: a refused client cannot keep the connection open.
func TestRefusalClosesConnection(t *testing.T) {
	address := serve(t, newEdge(t, Options{}), 100)
	for _, request := range []string{
		"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /websocket HTTP/1.1\r\nHost: x\r\n\r\n", // 426
		"GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", // 401
	} {
		conn := dial(t, address)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // to the end of the connection
		if err != nil || !strings.Contains(string(answer), "\r\nConnection: close\r\n") {
			t.Errorf("%q: %q, %v", request, answer, err)
		}
	}
}

// TestAddressHasShareOfHandshakes: one address can use up its share of the handshake rate,
// not the whole rate.
func TestAddressHasShareOfHandshakes(t *testing.T) {
	s := newShares(400, 400)
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	taken := 0
	for range 1000 {
		if s.allow(one) {
			taken++
		}
	}
	if taken < 100 || taken > 300 { // a burst of 100, and what time brings
		t.Errorf("one address had %d handshakes of 400", taken)
	}
	if !s.allow(other) {
		t.Error("the other address has to wait")
	}
	six := netip.MustParseAddr("2001:db8::1")
	for range 1000 {
		s.allow(six)
	}
	if s.allow(netip.MustParseAddr("2001:db8::2")) && s.allow(netip.MustParseAddr("2001:db8::3")) && s.allow(netip.MustParseAddr("2001:db8::4")) {
		t.Error("addresses of one /64 have shares of their own")
	}
}
