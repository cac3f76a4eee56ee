package listen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"belfry/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// act is what the gateway does with one attempt; conn is not accepted yet.
type act func(t *testing.T, w http.ResponseWriter, r *http.Request)

// gateway plays its acts, one for each attempt.
func gateway(t *testing.T, acts ...act) string {
	t.Helper()
	next := make(chan act, len(acts))
	for _, a := range acts {
		next <- a
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer token" || r.URL.RawQuery != "" {
			t.Errorf("Authorization %q, query %q", got, r.URL.RawQuery)
		}
		select {
		case a := <-next:
			a(t, w, r)
		default:
			t.Error("one attempt too many")
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(func() {
		server.Close()
		if len(next) > 0 {
			t.Errorf("%d attempts did not come", len(next))
		}
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/websocket/"
}

func status(code int, retryAfter, body string) act {
	return func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// open accepts, sends the frames, the ones after an empty one only when the
// client has sent its groups, and closes.
func open(code websocket.StatusCode, reason string, frames ...string) act {
	return func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for _, f := range frames {
			if f == "" {
				_, text, err := conn.Read(r.Context())
				if err != nil || string(text) != `{"groups":{"a":["b","c-d"],"jobs":["42"]}}` {
					t.Errorf("the client sent %s, %v", text, err)
				}
				continue
			}
			if err := conn.Write(r.Context(), websocket.MessageText, []byte(f)); err != nil {
				t.Error(err)
			}
		}
		_ = conn.Close(code, reason)
	}
}

const (
	accepted = `{"accept": true, "user": 7}`
	current  = `{"groups_current": ["a-b"], "groups_left": [], "groups_joined": ["a-b"]}`
)

// listen runs with a bound, and returns what was printed and said.
func listen(t *testing.T, url string, count int) (out string, said []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var b bytes.Buffer
	err = Run(ctx, Options{
		URL: url, Token: "token", Groups: []protocol.Group{"a-b", "jobs-42", "a-c-d"}, Count: count, Out: &b, FirstPause: time.Millisecond,
		Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
	})
	return b.String(), said, err
}

func TestEventsAreLinesAndNoticesAreSaid(t *testing.T) {
	url := gateway(t, open(1000, "", accepted, "", string(protocol.DeniedFrame("jobs-42")), current,
		`{"x":  1}`, "{\n \"y\": 2\n}", string(protocol.GapFrame([]protocol.Group{"a-b"})), `{"gap": 5}`, `{"gap": ["a"], "more": 1}`, `[3]`, `"never"`))
	out, said, err := listen(t, url, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"x\":  1}\n{\"y\":2}\n{\"gap\": 5}\n{\"gap\": [\"a\"], \"more\": 1}\n[3]\n"; out != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
	want := []string{"access denied to channel jobs for resource id 42", "listening to 1 of 3 groups", "gap: events of [a-b] may be lost: reload what depends on them"}
	if !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
}

func TestItConnectsAgain(t *testing.T) {
	url := gateway(t,
		status(503, "0", `{"error": "no worker"}`),
		status(429, "", `{"error": "too many"}`),
		open(1001, "retry_after_ms=1", accepted, "", current, `1`),
		open(1013, "events are unavailable, try again later", accepted),
		open(4408, "too slow", accepted, "", current),
		open(1011, "internal error"),
		open(1000, "", accepted, "", string(protocol.ErrorFrame(protocol.Unavailable))),
		func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { // the network fails
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		},
		open(1000, "", accepted, "", current, `2`),
	)
	out, said, err := listen(t, url, 2)
	if err != nil || out != "1\n2\n" {
		t.Fatalf("printed %q, said %q, %v", out, said, err)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"HTTP 503: no worker; trying again in", "HTTP 429: too many", "1001 retry_after_ms=1", "1013 ", "4408 too slow", "1011 ", protocol.Unavailable, "events in between are lost"} {
		if !strings.Contains(all, want) {
			t.Errorf("did not say %q:\n%s", want, all)
		}
	}
}

func TestFinalErrors(t *testing.T) {
	for name, c := range map[string]struct {
		act  act
		want string
	}{
		"token refused":   {open(4401, "token refused or expired", `{"accept": false, "user": null}`), "the token was refused"},
		"token expired":   {open(4401, "token refused or expired", accepted, "", current), "4401 token refused or expired"},
		"disconnected":    {open(4403, "disconnected by the server", accepted, "", current), "4403"},
		"no token":        {status(401, "", `{"error": "no token"}`), "HTTP 401: no token"},
		"origin":          {status(403, "", `{"error": "origin"}`), "HTTP 403: origin"},
		"no gateway":      {status(404, "", "<html>"), "check BELFRY_URL"},
		"not JSON":        {open(1000, "", "hello"), "read the gateway's answer"},
		"nothing allowed": {open(1000, "", accepted, "", `{"groups_current": [], "groups_left": [], "groups_joined": []}`), "none of the groups is allowed"},
		"invalid message": {open(1000, "", accepted, "", `{"error": "too many groups"}`), "too many groups"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := listen(t, gateway(t, c.act), 0)
			var f final
			if !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := gateway(t, func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		_ = conn.Write(r.Context(), websocket.MessageText, []byte(accepted))
		_, _, _ = conn.Read(r.Context())
		_ = conn.Write(r.Context(), websocket.MessageText, []byte(current))
		_, _, _ = conn.Read(r.Context())
	})
	err := Run(ctx, Options{
		URL: url, Token: "token", Groups: []protocol.Group{"a-b"}, Out: &bytes.Buffer{},
		Say: func(string, ...any) { cancel() }, // it listens
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// While nobody answers, too.
	ctx, cancel = context.WithCancel(t.Context())
	err = Run(ctx, Options{URL: "ws://127.0.0.1:1/", Token: "token", Out: &bytes.Buffer{}, Say: func(string, ...any) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
