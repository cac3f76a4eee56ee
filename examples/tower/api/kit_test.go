package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/api"
	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
	"belfry/examples/tower/web"
)

// tower is a running API whose emits are recorded.
type tower struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	emitted []emitted
	closed  []closed
	changed chan struct{}
}

// closed is a session whose websockets were closed.
type closed struct {
	user    int64
	session string
}

type emitted struct {
	group   string
	payload map[string]any
}

var key = []byte("a key of the tests, long enough!")

func start(t *testing.T) *tower {
	t.Helper()
	s, err := store.Open(context.Background(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	for name, admin := range map[string]bool{"alice": true, "bob": false, "carol": false} {
		if err := s.EnsureUser(context.Background(), name, "secret "+name, admin); err != nil {
			t.Fatal(err)
		}
	}
	tw := &tower{t: t, changed: make(chan struct{}, 1000)}
	emit := func(_ context.Context, group string, payload []byte) {
		var p map[string]any
		if err := json.Unmarshal(payload, &p); err != nil {
			t.Errorf("emitted to %s: %v", group, err)
		}
		tw.mu.Lock()
		tw.emitted = append(tw.emitted, emitted{group, p})
		tw.mu.Unlock()
		tw.changed <- struct{}{}
	}
	disconnect := func(_ context.Context, user int64, session string) {
		tw.mu.Lock()
		tw.closed = append(tw.closed, closed{user, session})
		tw.mu.Unlock()
	}
	jobs := runner.New(s, emit, zap.NewNop())
	tw.Server = httptest.NewServer(api.New(api.Options{
		Store: s, Runner: jobs, Schedules: jobs.Schedules(), Emit: emit, Disconnect: disconnect, Log: zap.NewNop(), TokenKey: key, TokenLife: time.Minute,
		AuthorizeSecret: "worker", SessionLimit: 2, Hosts: []string{"tower.example.com"}, Web: web.Handler(),
	}))
	t.Cleanup(func() {
		tw.Close()
		jobs.Stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return tw
}

// waitEmitted returns the payloads of a group once done says that they suffice.
func (tw *tower) waitEmitted(group string, done func([]map[string]any) bool) []map[string]any {
	tw.t.Helper()
	bound := time.After(20 * time.Second)
	for {
		tw.mu.Lock()
		var of []map[string]any
		for _, e := range tw.emitted {
			if e.group == group {
				of = append(of, e.payload)
			}
		}
		tw.mu.Unlock()
		if done(of) {
			return of
		}
		select {
		case <-tw.changed:
		case <-bound:
			tw.t.Fatalf("group %s: only %v", group, of)
		}
	}
}

func (tw *tower) url() *url.URL {
	tw.t.Helper()
	u, err := url.Parse(tw.URL)
	if err != nil {
		tw.t.Fatal(err)
	}
	return u
}

// browser is one login.
type browser struct {
	tw     *tower
	client *http.Client
}

func (tw *tower) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		tw.t.Fatal(err)
	}
	return &browser{tw, &http.Client{Jar: jar}}
}

func (tw *tower) login(name string) *browser {
	tw.t.Helper()
	b := tw.browser()
	b.want(http.StatusOK, "POST", "/api/login", map[string]string{"name": name, "password": "secret " + name})
	return b
}

// status calls the API and returns the status alone.
func (b *browser) status(method, path string, body any) int {
	b.tw.t.Helper()
	encoded, _ := json.Marshal(body)
	r, err := http.NewRequest(method, b.tw.URL+path, bytes.NewReader(encoded))
	if err != nil {
		b.tw.t.Fatal(err)
	}
	r.Header.Set("X-Requested-With", "test")
	answer, err := b.client.Do(r)
	if err != nil {
		b.tw.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// want calls the API, checks the status and returns the decoded answer.
func (b *browser) want(status int, method, path string, body any) any {
	b.tw.t.Helper()
	var in io.Reader
	if text, ok := body.(string); ok {
		in = bytes.NewReader([]byte(text))
	} else if body != nil {
		encoded, _ := json.Marshal(body)
		in = bytes.NewReader(encoded)
	}
	r, err := http.NewRequest(method, b.tw.URL+path, in)
	if err != nil {
		b.tw.t.Fatal(err)
	}
	r.Header.Set("X-Requested-With", "test")
	answer, err := b.client.Do(r)
	if err != nil {
		b.tw.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != status {
		b.tw.t.Fatalf("%s %s answered %d %s, want %d", method, path, answer.StatusCode, text, status)
	}
	var out any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			b.tw.t.Fatalf("%s %s answered %q: %v", method, path, text, err)
		}
	}
	if status >= 400 {
		if m, ok := out.(map[string]any); !ok || m["error"] == "" {
			b.tw.t.Fatalf("%s %s answered %d without an error text: %s", method, path, status, text)
		}
	}
	return out
}
