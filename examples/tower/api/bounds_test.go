package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"belfry/examples/tower/runner"
)

// TestForeignNamesAreRefused: a name that somebody has pointed here is not ours.
func TestForeignNamesAreRefused(t *testing.T) {
	tw := start(t)
	for host, want := range map[string]int{
		"": 200, "localhost:8050": 200, "127.0.0.1": 200, "[::1]:8050": 200, "192.0.2.7": 200, "tower.example.com": 200, "Tower.Example.Com:443": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:8050": 421, "x.tower.example.com": 421,
	} {
		for _, path := range []string{"/health", "/"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tw.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			answer, err := tw.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("Host %q, %s: %d, want %d", host, path, answer.StatusCode, want)
			}
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tw.URL+"/internal/authorize", strings.NewReader(`{"user": 1, "groups": []}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "api:8050"
	r.Header.Set("Authorization", "Bearer worker")
	answer, err := tw.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the worker's question under another name: %d", answer.StatusCode)
	}
}

// TestJobsAreBounded: a user has so many at a time, and the others their own.
func TestJobsAreBounded(t *testing.T) {
	tw := start(t)
	bob, carol := tw.login("bob"), tw.login("carol")
	launch := map[string]string{"template": "count"}
	var first any
	for i := range runner.MaxJobsOfUser {
		job := bob.want(http.StatusCreated, "POST", "/api/jobs", launch)
		if i == 0 {
			first = job.(map[string]any)["id"]
		}
	}
	bob.want(http.StatusTooManyRequests, "POST", "/api/jobs", launch)
	carol.want(http.StatusCreated, "POST", "/api/jobs", launch)
	bob.want(http.StatusAccepted, "POST", fmt.Sprintf("/api/jobs/%v/cancel", first), nil)
	tw.waitEmitted("jobs-summary", func(of []map[string]any) bool { return len(of) > 0 })
	tw.waitRoom(bob, launch)
}

// waitRoom launches once there is room again: a job's end is told just before it
// is counted.
func (tw *tower) waitRoom(b *browser, launch map[string]string) {
	tw.t.Helper()
	for range 1000 {
		if b.status("POST", "/api/jobs", launch) == http.StatusCreated {
			return
		}
	}
	tw.t.Fatal("after a job has ended there is no room for another one")
}

// TestWrongLoginsAreBounded: by address, whatever the names; a right login counts
// nothing.
func TestWrongLoginsAreBounded(t *testing.T) {
	tw := start(t)
	for range 12 {
		tw.login("bob")
	}
	b := tw.browser()
	for i := range 10 {
		b.want(http.StatusUnauthorized, "POST", "/api/login", map[string]string{"name": fmt.Sprintf("name %d", i), "password": "wrong"})
	}
	b.want(http.StatusTooManyRequests, "POST", "/api/login", map[string]string{"name": "bob", "password": "secret bob"})
}
