package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// client keeps no connection, so that nothing is left when a test ends.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// development starts `belfry dev` on free ports and sets what its own output
// says, as a developer would in another shell.
func development(t *testing.T) (r *running, page string) {
	t.Helper()
	clean(t)
	t.Setenv("TMPDIR", t.TempDir())
	set(t, "BELFRY_LISTEN", "127.0.0.1:0")
	set(t, "BELFRY_ADMIN_LISTEN", "127.0.0.1:0")
	set(t, "BELFRY_AMQP_URL", "embedded://127.0.0.1:1") // another command's: dev does not mind
	r = start(t, "dev")
	r.out.await(t, "Ctrl-C")
	set(t, "BELFRY_AMQP_URL", r.out.await(t, `BELFRY_AMQP_URL=(embedded://\S+)`))
	set(t, "BELFRY_TOKEN", r.out.await(t, `BELFRY_TOKEN=(\S+)`))
	set(t, "BELFRY_URL", r.out.await(t, `BELFRY_URL=(\S+)`))
	return r, r.out.await(t, `page\s+(\S+)`)
}

func TestDevCarriesEventsFromEmitToListen(t *testing.T) {
	r, _ := development(t)
	listening := start(t, "listen", "--count", "4", "jobs-status_changed", "job_events-42")
	listening.err.await(t, "listening to 2 of 2 groups")

	sh(t, "", "emit", "jobs-status_changed", `{"a":  1}`).want(t, 0, "", "")
	sh(t, "{\"n\": 1}\n\n \"two\" \r\n3", "emit", "job_events-42", "-").want(t, 0, "", "")
	if status := listening.ends(t); status != 0 {
		t.Errorf("listen ended with %d", status)
	}
	want := "{\"a\":  1}\n{\"n\": 1}\n\"two\"\n3\n"
	if got, _ := listening.out.look(); got != want {
		t.Errorf("listen printed\n%s\nwant\n%s", got, want)
	}
	sh(t, "", "check").want(t, 0, "is ready; it has no broker", "")
	address := os.Getenv("BELFRY_AMQP_URL")
	for _, args := range [][]string{{"emit", "jobs-summary", "1"}, {"disconnect", "12"}, {"check"}} {
		if err := os.Unsetenv("BELFRY_AMQP_URL"); err != nil {
			t.Fatal(err)
		}
		sh(t, "", args...).want(t, 0, "", "using the belfry dev on 127.0.0.1:")
	}
	set(t, "BELFRY_AMQP_URL", address)
	sh(t, "", "check", "--group", "jobs-summary").want(t, 0, "ok     websocket: an event to jobs-summary was emitted, routed and delivered", "")
	set(t, "BELFRY_TOKEN", "another")
	sh(t, "", "check", "--group", "jobs-summary").want(t, 1, "WRONG  websocket: ", "something is wrong")

	r.cancel()
	if status := r.ends(t); status != 0 {
		t.Errorf("dev ended with %d", status)
	}
	if said, _ := r.err.look(); said != "" {
		t.Errorf("dev said %s", said)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "belfry-dev-*")); len(left) > 0 {
		t.Errorf("dev left %q", left)
	}
	sh(t, "", "check").want(t, 1, "WRONG  belfry dev", "something is wrong")
}

func TestDisconnectEndsListen(t *testing.T) {
	development(t)
	listening := start(t, "listen", "job_events-42")
	listening.err.await(t, "listening")
	sh(t, "", "disconnect", "--session", "another", "7").want(t, 0, "", "")
	sh(t, "", "disconnect", "8").want(t, 0, "", "")
	sh(t, "", "emit", "job_events-42", `"here still"`).want(t, 0, "", "")
	listening.out.await(t, "here still")
	sh(t, "", "disconnect", "7").want(t, 0, "", "")
	if status := listening.ends(t); status != 1 {
		t.Errorf("listen ended with %d", status)
	}
	listening.err.await(t, "4403")
}

func TestEmitStopsAtTheFirstBadLine(t *testing.T) {
	development(t)
	listening := start(t, "listen", "job_events-42")
	listening.err.await(t, "listening")
	sh(t, "1\n2\n{\n4\n", "emit", "job_events-42", "-").want(t, 1, "", "line 3: the event is not JSON")
	sh(t, "", "emit", "job_events-42", `"last"`).want(t, 0, "", "")
	listening.out.await(t, `"last"`)
	if got, _ := listening.out.look(); got != "1\n2\n\"last\"\n" {
		t.Errorf("listen printed\n%s", got)
	}
	listening.cancel()
	if status := listening.ends(t); status != 0 {
		t.Errorf("listen ended with %d", status)
	}
}

func TestDevEndpointNeedsTheSecret(t *testing.T) {
	_, page := development(t)
	u, _ := url.Parse(os.Getenv("BELFRY_AMQP_URL"))
	u.User = url.UserPassword("", "wrong")
	set(t, "BELFRY_AMQP_URL", u.String())
	sh(t, "", "emit", "jobs-summary", "{}").want(t, 1, "", "the secret is wrong")
	set(t, "BELFRY_AMQP_URL", "embedded://"+u.Host)
	sh(t, "", "emit", "jobs-summary", "{}").want(t, 1, "", "BELFRY_EMIT_SECRET")
	if strings.Contains(page, "secret") {
		t.Errorf("the page's address is %s", page)
	}
}

func TestGivenSecretIsNotPrinted(t *testing.T) {
	clean(t)
	set(t, "BELFRY_EMIT_SECRET", "my-own-secret")
	set(t, "BELFRY_LISTEN", ":0")
	set(t, "BELFRY_ADMIN_LISTEN", "127.0.0.1:0")
	r := start(t, "dev")
	r.out.await(t, "Ctrl-C")
	out, _ := r.out.look()
	if strings.Contains(out, "my-own-secret") || !strings.Contains(out, "Bearer $BELFRY_EMIT_SECRET") {
		t.Errorf("the greeting is\n%s", out)
	}
	if strings.Contains(out, "token=development") {
		t.Errorf("the well-known token works where other hosts can connect:\n%s", out)
	}
	set(t, "BELFRY_AMQP_URL", r.out.await(t, `BELFRY_AMQP_URL=(embedded://\S+)`))
	sh(t, "", "emit", "jobs-summary", "{}").want(t, 0, "", "")
}

func TestDevsPageIsForThisHostAlone(t *testing.T) {
	_, page := development(t)
	get := func(host string) (int, http.Header, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			request.Host = host
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, response.Header, string(text)
	}
	for host, want := range map[string]int{"": 200, "localhost:9051": 200, "[::1]:9051": 200, "evil.example": 421, "127.0.0.1.evil.example": 421} {
		status, header, text := get(host)
		if status != want {
			t.Errorf("Host %q: %d, want %d", host, status, want)
		}
		if has := strings.Contains(text, os.Getenv("BELFRY_TOKEN")); has != (want == 200) {
			t.Errorf("Host %q: the token is on the page: %v", host, has)
		}
		if want == 200 && !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("Host %q: %v", host, header)
		}
	}
}

func TestOnlyAllowedPagesMayConnect(t *testing.T) {
	_, page := development(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	u, _ := url.Parse(os.Getenv("BELFRY_URL"))
	for origin, allowed := range map[string]bool{
		strings.TrimSuffix(page, "/"): true, "http://" + u.Host: true,
		"http://localhost:" + u.Port(): true, "http://localhost:5173": true, "https://127.0.0.1:5173": true, "http://[::1]:3000": true, "http://app.localhost:8080": true,
		"http://evil.example": false, "null": false, "http://localhost.evil.example:5173": false, "http://192.0.2.1:5173": false,
	} {
		conn, response, err := websocket.Dial(ctx, os.Getenv("BELFRY_URL")+"?token="+os.Getenv("BELFRY_TOKEN"), &websocket.DialOptions{
			HTTPClient: client, HTTPHeader: http.Header{"Origin": {origin}},
		})
		if (err == nil) != allowed || err != nil && (response == nil || response.StatusCode != http.StatusForbidden) {
			t.Errorf("Origin %s: %v", origin, err)
		}
		if conn != nil {
			_ = conn.CloseNow()
		}
	}
}
