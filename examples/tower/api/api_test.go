package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
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
	changed chan struct{}
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
	jobs := runner.New(s, emit, zap.NewNop())
	tw.Server = httptest.NewServer(api.New(api.Options{
		Store: s, Runner: jobs, Emit: emit, Log: zap.NewNop(), TokenKey: key, TokenLife: time.Minute,
		AuthorizeSecret: "worker", SessionLimit: 2, Web: web.Handler(),
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

func TestLoginRefusesWhatIsWrong(t *testing.T) {
	b := start(t).browser()
	b.want(http.StatusUnauthorized, "POST", "/api/login", map[string]string{"name": "bob", "password": "wrong"})
	b.want(http.StatusUnauthorized, "POST", "/api/login", map[string]string{"name": "nobody", "password": "secret bob"})
	b.want(http.StatusBadRequest, "POST", "/api/login", "not json")
	b.want(http.StatusBadRequest, "POST", "/api/login", `{"name":"bob","password":"x","admin":true}`)
	b.want(http.StatusRequestEntityTooLarge, "POST", "/api/login", `{"name":"`+string(bytes.Repeat([]byte("a"), 70<<10))+`"}`)
	for _, path := range []string{"/api/me", "/api/token", "/api/jobs", "/api/jobs/1", "/api/jobs/1/events"} {
		b.want(http.StatusUnauthorized, "GET", path, nil)
	}
	b.want(http.StatusNotFound, "GET", "/api/nothing", nil)
}

func TestAForeignPagesFormIsRefused(t *testing.T) {
	tw := start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tw.URL+"/api/login", strings.NewReader(`{"name":"bob","password":"secret bob"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/plain")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusForbidden {
		t.Fatalf("answered %s", answer.Status)
	}
}

func TestAJobsLinesAreStoredAndEmittedInOrder(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	job := bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)
	id := fmt.Sprint(job["id"])
	statuses := tw.waitEmitted("jobs-status_changed", func(all []map[string]any) bool { return len(all) >= 3 })
	for n, want := range []string{"pending", "running", "failed"} {
		if statuses[n]["status"] != want || fmt.Sprint(statuses[n]["unified_job_id"]) != id {
			t.Errorf("status %d is %v, want %s", n, statuses[n], want)
		}
	}
	live := tw.waitEmitted("job_events-"+id, func(all []map[string]any) bool { return len(all) >= 2 })
	stored := bob.want(http.StatusOK, "GET", "/api/jobs/"+id+"/events?after=0", nil).([]any)
	if len(stored) != 2 || len(live) != 2 {
		t.Fatalf("stored %v, emitted %v", stored, live)
	}
	for n, want := range []string{"working", "cannot go on"} {
		e := stored[n].(map[string]any)
		if e["stdout"] != want || e["counter"] != float64(n+1) || live[n]["stdout"] != want || live[n]["counter"] != float64(n+1) {
			t.Errorf("line %d: stored %v, emitted %v, want %q", n, e, live[n], want)
		}
	}
	after := bob.want(http.StatusOK, "GET", "/api/jobs/"+id+"/events?after=1", nil).([]any)
	if len(after) != 1 {
		t.Errorf("after=1 gave %v", after)
	}
	bob.want(http.StatusBadRequest, "GET", "/api/jobs/"+id+"/events?after=-1", nil)
}

func TestOthersJobsAreNotThere(t *testing.T) {
	tw := start(t)
	alice, bob, carol := tw.login("alice"), tw.login("bob"), tw.login("carol")
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)["id"])
	alice.want(http.StatusOK, "GET", "/api/jobs/"+id, nil)
	for _, path := range []string{"/api/jobs/" + id, "/api/jobs/" + id + "/events", "/api/jobs/999"} {
		carol.want(http.StatusNotFound, "GET", path, nil)
	}
	carol.want(http.StatusNotFound, "POST", "/api/jobs/"+id+"/cancel", nil)
	carol.want(http.StatusBadRequest, "GET", "/api/jobs/x", nil)
	carol.want(http.StatusBadRequest, "POST", "/api/jobs", map[string]string{"template": "rm -rf"})
	if jobs := carol.want(http.StatusOK, "GET", "/api/jobs", nil).([]any); len(jobs) != 0 {
		t.Errorf("carol sees %v", jobs)
	}
}

func TestCancelEndsAJob(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "count"}).(map[string]any)["id"])
	tw.waitEmitted("job_events-"+id, func(all []map[string]any) bool { return len(all) >= 1 })
	bob.want(http.StatusAccepted, "POST", "/api/jobs/"+id+"/cancel", nil)
	tw.waitEmitted("jobs-status_changed", func(all []map[string]any) bool {
		return len(all) > 0 && all[len(all)-1]["status"] == "canceled"
	})
}

func TestTheTokenSaysWhoAndExpires(t *testing.T) {
	tw := start(t)
	answer := tw.login("bob").want(http.StatusOK, "GET", "/api/token", nil).(map[string]any)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(answer["token"].(string), claims, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithAudience("belfry"), jwt.WithIssuer("tower"))
	if err != nil {
		t.Fatal(err)
	}
	if _, isNumber := claims["user_id"].(float64); !isNumber {
		t.Errorf("user_id is %T", claims["user_id"])
	}
}

func TestTheWorkersQuestion(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	me := bob.want(http.StatusOK, "GET", "/api/me", nil).(map[string]any)["user"].(map[string]any)
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)["id"])
	ask := func(status int, secret string, user any, groups ...string) any {
		body, _ := json.Marshal(map[string]any{"user": user, "groups": groups})
		r, _ := http.NewRequest("POST", tw.URL+"/internal/authorize", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+secret)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != status {
			t.Fatalf("answered %s, want %d", answer.Status, status)
		}
		var out map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out["allowed"]
	}
	ask(http.StatusUnauthorized, "wrong", me["id"], "job_events-"+id)
	got := ask(http.StatusOK, "worker", me["id"], "job_events-"+id, "job_events-999", "job_events-x", "control-limit_reached_1")
	if want := "[job_events-" + id + "]"; fmt.Sprint(got) != want {
		t.Errorf("allowed %v, want %s", got, want)
	}
	if got := ask(http.StatusOK, "worker", 999, "job_events-"+id); fmt.Sprint(got) != "[]" {
		t.Errorf("an unknown user may see %v", got)
	}
	ask(http.StatusBadRequest, "worker", "bob", "job_events-"+id)
}

func TestALoginAboveTheLimitEndsTheOldestSession(t *testing.T) {
	tw := start(t)
	first := tw.login("bob")
	second := tw.login("bob")
	third := tw.login("bob")
	first.want(http.StatusUnauthorized, "GET", "/api/me", nil)
	second.want(http.StatusOK, "GET", "/api/me", nil)
	me := third.want(http.StatusOK, "GET", "/api/me", nil).(map[string]any)["user"].(map[string]any)
	tw.waitEmitted("control-limit_reached_"+fmt.Sprint(me["id"]), func(all []map[string]any) bool { return len(all) == 1 })
	third.want(http.StatusNoContent, "POST", "/api/logout", nil)
	third.want(http.StatusUnauthorized, "GET", "/api/me", nil)
}
