package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"
)

// TestMissingBodyIsNotWaitedFor: net/http reads a request's body before it answers, and no
// limit on websockets counts such a connection.
func TestMissingBodyIsNotWaitedFor(t *testing.T) {
	server := NewServer(http.NotFoundHandler(), zap.NewNop())
	if longest := (Options{}).withDefaults().DecisionTimeout + readHeaderTimeout; server.ReadTimeout <= longest {
		t.Fatalf("a handshake may take %v, a request %v", longest, server.ReadTimeout)
	}
	server.ReadTimeout = 200 * time.Millisecond
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background())
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil { // nil: the server has closed it
		t.Errorf("the connection is held: %v", err)
	}
}
