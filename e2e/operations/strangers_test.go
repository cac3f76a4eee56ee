package operations

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// TestWhoHangsUpIsNobodysFault: clients that go before a decision are counted apart from
// those whom no worker answered.
func TestWhoHangsUpIsNobodysFault(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	asked, release := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select { // nobody gets an answer
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, WorkerEnv: []string{
		"BELFRY_TOKENS_FILE=", "BELFRY_INTROSPECTION_URL=" + server.URL,
	}})
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn, answer, err := wsclient.Dial(ctx, in.Request(0, wsclient.Request{Token: harness.TokenAdmin})); err == nil {
			t.Errorf("it was answered: %v, %+v", conn, answer)
		}
	}()
	<-asked
	hangUp()
	<-ended
	g := in.Gateways[0]
	until(t, "it is counted", func() bool { return g.Metric(t, `belfry_gateway_handshakes_total{outcome="gone"}`) == 1 })
	if n := g.Metric(t, `belfry_gateway_handshakes_total{outcome="no_decision"}`); n != 0 {
		t.Errorf("%v count as not decided", n)
	}
}

// TestFewDescriptors: connections of strangers, which ask for nothing that is there or
// do not begin, take all that a gateway may open, and whoever looks after it still gets
// an answer; when they go, clients are let in.
func TestFewDescriptors(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	const files = 300
	in := harness.Start(t, harness.Shape{Workers: 1, Shards: 1})
	g := startGateway(t, in, exec.Command("/bin/sh", "-c", `ulimit -n 300 && exec "$0"`, harness.Binary(t, "gateway")))
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	var strangers []net.Conn
	for _, words := range []string{"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", ""} { // the second half does not begin
		for range 2 * files {
			conn, err := dialer.DialContext(t.Context(), "tcp", g.Addr)
			if err != nil {
				continue
			}
			strangers = append(strangers, conn)
			_, _ = conn.Write([]byte(words)) // it may be closed already
		}
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/health/live", "/health/ready", "/metrics"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Admin+path, nil)
		must(t, err)
		answer, err := client.Do(r)
		if err != nil {
			t.Errorf("%s beside %d strangers: %v", path, len(strangers), err)
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s beside %d strangers: HTTP %d", path, len(strangers), answer.StatusCode)
		}
	}
	for _, conn := range strangers {
		_ = conn.Close()
	}
	until(t, "a client is let in", func() bool {
		conn, _, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: g.Addr, Token: harness.TokenAdmin, Timeout: 5 * time.Second})
		if conn != nil {
			conn.Drop()
		}
		return err == nil && conn != nil
	})
}
