package deployment

import (
	"context"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// fromElsewhere is a page of a development server on another port. It says how its
// websocket went by a request to its own server.
var fromElsewhere = template.Must(template.New("page").Parse(`<!doctype html><title>a page</title><script>
	const say = (text) => fetch("/said?" + encodeURIComponent(text));
	const socket = new WebSocket({{.}});
	socket.onmessage = (message) => say(message.data);
	socket.onerror = () => say("refused");
</script>`))

// openPage lets a real browser open a page of a server on another port than the
// gateway's, under a host name of this machine, and returns what the page said.
func openPage(t *testing.T, gateway, token, host string) string {
	t.Helper()
	said := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			_ = fromElsewhere.Execute(w, "ws://"+gateway+"/websocket?token="+token)
		case "/said":
			text, _ := url.QueryUnescape(r.URL.RawQuery)
			said <- text
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	browser := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", fmt.Sprintf("http://%s:%s/", host, port))
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	browser.Cancel = func() error { return syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) }
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = browser.Wait()
	}()
	select {
	case text := <-said:
		return text
	case <-ctx.Done():
		t.Fatal("the page said nothing")
		return ""
	}
}

// TestAPageOnAnotherPort: a page of a development server beside `belfry dev`
// connects in a real browser. Where somebody has listed origins, it is refused, and
// the log says what was seen and which variable it is, once.
func TestAPageOnAnotherPort(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: it needs Chromium")
	}
	in := harness.Start(t, harness.Shape{Embedded: true})
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if said := openPage(t, in.Gateways[0].Addr, in.Request(0, wsclient.Request{Token: harness.TokenAdmin}).Token, host); !strings.Contains(said, `"accept": true`) {
			t.Errorf("a page of %s: %s", host, said)
		}
	}
	listed := harness.Start(t, harness.Shape{Embedded: true, Env: []string{"BELFRY_ALLOWED_ORIGINS=https://*.example.com"}})
	g := listed.Gateways[0]
	if said := openPage(t, g.Addr, "any", "localhost"); said != "refused" {
		t.Errorf("a page that no list has: %s", said)
	}
	log := g.Log()
	if strings.Count(log, "BELFRY_ALLOWED_ORIGINS. If the page is yours") != 1 || !strings.Contains(log, `"origin": "http://localhost:`) || !strings.Contains(log, fmt.Sprintf(`"host": %q`, g.Addr)) {
		t.Errorf("the log says:\n%s", log)
	}
}
