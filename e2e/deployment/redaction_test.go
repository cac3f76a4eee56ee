package deployment

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// broken are the ways in which both gateways may fail, and what a browser gets.
var broken = []struct {
	name   string
	serve  func(net.Conn) // nil: nobody listens
	status int
}{
	{"refuse", nil, 502},
	{"hang up", func(conn net.Conn) { readRequest(conn) }, 502},
	{"are silent", func(conn net.Conn) { readRequest(conn); readRequest(conn) }, 504}, // until nginx gives up
	{"talk nonsense", func(conn net.Conn) { readRequest(conn); answer(conn, "HTTP/1.1 200 OK\r\n\x01\r\n\r\n") }, 502},
	{"upgrade and reset", func(conn net.Conn) {
		readRequest(conn)
		answer(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = conn.(*net.TCPConn).SetLinger(0)
	}, 101},
}

func readRequest(conn net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(conn)) }

func answer(conn net.Conn, text string) { _, _ = conn.Write([]byte(text)) }

// TestTokensStayOutOfLogs sends tokens in every way, right and wrong, while
// gateways fail in every way: nothing that nginx writes shows one.
func TestTokensStayOutOfLogs(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	tokens := 0
	token := func() string { tokens++; return fmt.Sprintf("secret-%d-of-nobody", tokens) }
	written := map[string]string{}
	for _, gateways := range broken {
		t.Run("gateways "+gateways.name, func(t *testing.T) {
			dir := t.TempDir()
			copyNginx(t, dir, "deploy/nginx/development.conf", "../../tmp/nginx", dir, "75s;", "100ms;")
			if gateways.serve != nil {
				for _, addr := range harness.GatewayAddrs {
					standIn(t, addr, gateways.serve)
				}
			}
			n := &harness.Nginx{Addr: "127.0.0.1:8043", TLS: harness.Trust(t, filepath.Join(dir, "certificate.pem")), Prefix: t.TempDir()}
			n.Run(t, filepath.Join(dir, "development.conf"))
			for _, r := range []struct {
				wsclient.Request
				status int // 0: what a broken gateway gives
			}{
				{wsclient.Request{Path: "/websocket", Token: token()}, 0},
				{wsclient.Request{Path: "/websocket/", Token: token()}, 0},
				{wsclient.Request{Path: "//websocket", Token: token()}, 0},
				{wsclient.Request{Path: "/web%73ocket/", Token: token()}, 0},
				{wsclient.Request{Path: "/websocket", Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer " + token()}}}, 0},
				{wsclient.Request{Path: "/websocket", Header: []wsclient.Field{{Name: "Cookie", Value: "token=" + token()}}}, 0},
				{wsclient.Request{Path: "/websocket", Header: []wsclient.Field{{Name: "Referer", Value: "https://127.0.0.1/?token=" + token()}}}, 0},
				{wsclient.Request{Path: "/websocket", Token: token(), Upgrade: "-"}, 426},
				{wsclient.Request{Path: "/websocket", Token: token(), Proto: "HTTP/1.0"}, 505},
				{wsclient.Request{Path: "/websocket", Token: token() + strings.Repeat("a", 9<<10)}, 414},
				{wsclient.Request{Path: "/websocket%3Ftoken=" + token()}, 404},
				{wsclient.Request{Path: "/websocket&token=" + token()}, 404},
				{wsclient.Request{Path: "/websocket;token=" + token()}, 404},
				{wsclient.Request{Path: "/websocket/events", Token: token()}, 404},
				{wsclient.Request{Path: "/WebSocket", Token: token()}, 404},
				{wsclient.Request{Path: "/websocket", Token: token() + " HTTP/1.1 x"}, 400},
			} {
				if r.status == 0 {
					r.status = gateways.status
				}
				r.Addr, r.TLS = n.Addr, n.TLS
				if got := status(t, r.Request); got != r.status {
					t.Errorf("%s: HTTP %d, want %d", r.Path, got, r.status)
				}
			}
			// What is no websocket is logged as ever: the application is away.
			if got := status(t, wsclient.Request{Addr: n.Addr, TLS: n.TLS, Path: "/api/jobs", Upgrade: "-"}); got != http.StatusBadGateway {
				t.Errorf("without an application: HTTP %d", got)
			}
			logs := n.Finish(t)
			if line := fmt.Sprintf(`"GET /websocket HTTP/1.1" %d `, gateways.status); !strings.Contains(logs["access.log"], line) {
				t.Errorf("the access log has no line with %q:\n%s", line, logs["access.log"])
			}
			if !strings.Contains(logs["error.log"], "GET /api/jobs HTTP/1.1") {
				t.Errorf("the error log does not tell of the application:\n%s", logs["error.log"])
			}
			for file, text := range logs {
				written[gateways.name+", "+file] = text
			}
		})
	}
	if tokens < 50 {
		t.Errorf("%d tokens were sent", tokens)
	}
	for file, text := range written {
		for _, secret := range []string{"secret-", "of-nobody", "token="} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("gateways %s shows a token: %.300s", file, text[max(0, at-150):])
				break
			}
		}
	}
}

// status is what a request gets. A handshake that is answered with 101 is one,
// whatever comes after it.
func status(t *testing.T, r wsclient.Request) int {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), r)
	if conn != nil {
		conn.Drop()
	}
	if answer == nil {
		t.Errorf("%.60s: %v", r.Path, err)
		return 0
	}
	return answer.Status
}
