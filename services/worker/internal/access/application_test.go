package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var user7 = auth.Identity{User: json.RawMessage(`7`), Fingerprint: "f7"}

// application answers questions with a handler and counts them.
func application(t *testing.T, o ApplicationOptions, h http.HandlerFunc) (*Application, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		// The server notices a caller that goes away only after the body is read.
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}))
	t.Cleanup(server.Close)
	o.URL = server.URL
	a, err := NewApplication(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, &asked
}

func allowing(groups ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"allowed": groups})
	}
}

func TestApplicationIsAskedOnceForAMessage(t *testing.T) {
	at := time.Unix(1, 0)
	o := ApplicationOptions{Cache: 10 * time.Second, Secret: "shared", Now: func() time.Time { return at }}
	var got question
	a, asked := application(t, o, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer shared" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
		allowing("job_events-42")(w, r)
	})
	p := policy(t, `{"rules": [{"groups": ["job_events-{int}"], "allow": ["claim", "application"]}, {"groups": ["jobs-*"], "allow": ["all"]}]}`)
	z, err := NewAuthorizer(p, a)
	if err != nil {
		t.Fatal(err)
	}
	id := user7
	id.Groups = []string{"job_events-1"}
	ask := func(id auth.Identity) string {
		t.Helper()
		r, err := z.Authorize(context.Background(), id, []protocol.Group{"job_events-43", "jobs-summary", "other-1", "job_events-1", "job_events-42"})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.Allowed, r.Denied)
	}
	want := "[jobs-summary job_events-1 job_events-42] [job_events-43 other-1]"
	for range 2 {
		if out := ask(id); out != want {
			t.Errorf("got %s, want %s", out, want)
		}
	}
	if string(got.User) != "7" || fmt.Sprint(got.Groups) != "[job_events-43 job_events-42]" {
		t.Errorf("asked about %s %v: only what is open is asked", got.User, got.Groups)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want 1: the second comes from the cache", n)
	}
	other := id
	other.Fingerprint = "another token"
	ask(other)
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2: a cache is per token", n)
	}
	at = at.Add(10 * time.Second)
	ask(id)
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3: the answer was too old", n)
	}
}

func TestApplicationThatFailsDecidesNothing(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"status":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"forbidden":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) },
		"empty":      func(http.ResponseWriter, *http.Request) {},
		"no list":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"null":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"allowed": null}`)) },
		"not a list": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"allowed": "job_events-1"}`)) },
		"cut":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"allowed": ["job_events-1"]`)) },
		"oversized": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"allowed": ["` + strings.Repeat("x", maxApplicationAnswer) + `"]}`))
		},
		"closes":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"says nothing": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			a, asked := application(t, ApplicationOptions{Cache: time.Minute, Timeout: 100 * time.Millisecond}, h)
			for range 2 {
				if got, err := a.Ask(context.Background(), user7, []protocol.Group{"job_events-1"}); err == nil {
					t.Errorf("got %v, want an error", got)
				}
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("asked %d times, want 2: errors are not cached", n)
			}
		})
	}
}

func TestWrongAnswersOfApplication(t *testing.T) {
	m := NewMetrics(nil)
	a, _ := application(t, ApplicationOptions{Metrics: m}, allowing("job_events-1", "job_events-2", "*", "control-limit_reached_8"))
	got, err := a.Ask(context.Background(), user7, []protocol.Group{"job_events-1", "job_events-3"})
	if err != nil || !got["job_events-1"] || got["job_events-3"] || got["job_events-2"] || got["control-limit_reached_8"] {
		t.Errorf("got %v, %v", got, err)
	}
	if n := testutil.ToFloat64(m.unasked); n != 3 {
		t.Errorf("%v counted, want 3", n)
	}
}

// TestApplicationSharesFlights: a question that is in flight is not asked twice, and if a
// caller gives up, the others still get the answer.
func TestApplicationSharesFlights(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 1)
	m := NewMetrics(nil)
	a, asked := application(t, ApplicationOptions{Metrics: m}, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		allowing("job_events-1")(w, r)
	})
	groups := []protocol.Group{"job_events-1"}
	hasty, giveUp := context.WithCancel(context.Background())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := a.Ask(hasty, user7, groups)
		gaveUp <- err
	}()
	<-arrived
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the hasty caller got %v", err)
	}
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			if got, err := a.Ask(context.Background(), user7, groups); err != nil || !got["job_events-1"] {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for testutil.ToFloat64(m.shared) < 10 {
		<-tick.C
	}
	close(release)
	callers.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want 1", n)
	}
}

// askAll asks n questions at a time and returns how many failed.
func askAll(a *Application, n int) (failed int64) {
	var count atomic.Int64
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			g := protocol.Group(fmt.Sprintf("job_events-%d", i))
			if _, err := a.Ask(context.Background(), user7, []protocol.Group{g}); err != nil {
				count.Add(1)
			}
		})
	}
	callers.Wait()
	return count.Load()
}

func TestApplicationPoolIsBounded(t *testing.T) {
	var now, most atomic.Int64
	a, _ := application(t, ApplicationOptions{Parallel: 2, Timeout: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		here := now.Add(1)
		for seen := most.Load(); here > seen && !most.CompareAndSwap(seen, here); seen = most.Load() {
		}
		runtime.Gosched() // lets a third one come, should it be let
		defer now.Add(-1) // the answer, which frees the place, goes out after it
		allowing("none-0")(w, r)
	})
	if failed := askAll(a, 50); failed != 0 || most.Load() > 2 {
		t.Errorf("%d failed, %d at a time; want none and at most 2", failed, most.Load())
	}
}

// TestWaitingForTheApplicationTimesOut: waiting for a place counts against the time-out.
func TestWaitingForTheApplicationTimesOut(t *testing.T) {
	a, _ := application(t, ApplicationOptions{Parallel: 2, Timeout: 100 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	if failed := askAll(a, 6); failed != 6 {
		t.Errorf("%d of 6 failed", failed)
	}
}

func TestApplicationClose(t *testing.T) {
	arrived := make(chan struct{}, 1)
	a, _ := application(t, ApplicationOptions{Timeout: time.Minute}, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	out := make(chan error, 1)
	go func() {
		_, err := a.Ask(context.Background(), user7, []protocol.Group{"job_events-1"})
		out <- err
	}()
	<-arrived
	a.Close()
	if err := <-out; err == nil {
		t.Error("a question outlived Close")
	}
	if _, err := a.Ask(context.Background(), user7, []protocol.Group{"job_events-1"}); err == nil {
		t.Error("a question after Close")
	}
}

// TestForgottenAnswersAreAskedAgain: Forget drops cached answers, and answers to questions
// that are still in flight.
func TestForgottenAnswersAreAskedAgain(t *testing.T) {
	group := []protocol.Group{"job_events-1"}
	arrived, answer := make(chan struct{}, 1), make(chan struct{})
	var slow atomic.Bool
	a, asked := application(t, ApplicationOptions{Cache: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			arrived <- struct{}{}
			<-answer
		}
		allowing("job_events-1")(w, r)
	})
	ask := func() error {
		_, err := a.Ask(context.Background(), user7, group)
		return err
	}
	expect := func(n int64, what string) {
		t.Helper()
		if got := asked.Load(); got != n {
			t.Fatalf("%s: asked %d times, want %d", what, got, n)
		}
	}
	for range 2 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	expect(1, "kept")
	a.Forget()
	slow.Store(true)
	old := make(chan error, 1)
	go func() { old <- ask() }()
	<-arrived
	expect(2, "forgotten")
	a.Forget()
	slow.Store(false)
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	expect(3, "forgotten on its way: a new question does not share the old flight")
	close(answer)
	if err := <-old; err != nil {
		t.Fatal(err)
	}
	a.Forget()
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	expect(4, "the old flight's answer was not kept")
}
