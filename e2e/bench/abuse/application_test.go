//go:build drills

package abuse

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// answersIn is how long the application, or the introspection, takes.
const applicationTakes, introspectionTakes = 400 * time.Millisecond, 300 * time.Millisecond

// slow answers each request after a while.
func slow(t *testing.T, takes time.Duration, answer func(r *http.Request) any) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := answer(r)
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = json.NewEncoder(w).Encode(body)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestAbuseApplication: one user keeps asking about groups that the application decides.
func TestAbuseApplication(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"rules": [{"groups": ["job_events-*"], "allow": ["application"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	application := slow(t, applicationTakes, func(r *http.Request) any {
		var question struct {
			Groups []string `json:"groups"`
		}
		_ = json.NewDecoder(r.Body).Decode(&question)
		return map[string][]string{"allowed": question.Groups}
	})
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, WorkerEnv: []string{
		"BELFRY_POLICY_FILE=" + policy, "BELFRY_AUTHORIZE_URL=" + application,
	}})
	in.AwaitLeaders(t)
	conns := dialMany(t, in, 200, homeOfAttacks, harness.TokenAdmin)
	const what = "an application that takes 0.4 s, asked by 200 connections of one user"
	judge(t, what, []deed{subscribing(t, in)}, func(ctx context.Context, attackers *sync.WaitGroup) {
		for i, c := range conns {
			attackers.Go(func() {
				for ctx.Err() == nil {
					begin := time.Now()
					_ = c.subscribe((i+1)*1_000_000, 1)
					within(ctx, begin)
				}
			})
		}
	})
}
