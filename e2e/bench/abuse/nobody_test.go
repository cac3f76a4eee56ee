//go:build drills

package abuse

import (
	"sync"
	"testing"

	"belfry/e2e/harness"
)

// TestAbuseNobody is what the bounds cost everybody when nobody attacks: processor time
// of gateway and worker for a handshake, and for a change of groups.
func TestAbuseNobody(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	in.AwaitLeaders(t)
	used := func() float64 {
		const name = "process_cpu_seconds_total"
		return in.Gateways[0].Metric(t, name) + in.Workers[0].Metric(t, name)
	}
	cost := func(what string, users, each int, do func(user, n int) error) {
		begin := used()
		var all sync.WaitGroup
		for user := range users {
			all.Go(func() {
				for n := range each {
					if err := do(user, n); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		note("nobody attacks", "%s: %.0f us of processor time", what, (used()-begin)/float64(users*each)*1e6)
	}
	cost("a handshake", 8, 400, func(int, int) error {
		c, err := dial(t.Context(), in, homeOfHonest, harness.TokenNamed)
		if err == nil {
			c.Drop()
		}
		return err
	})
	conns := dialMany(t, in, 100, homeOfHonest, harness.TokenNamed)
	cost("a change of one group", len(conns), 40, func(user, _ int) error { return conns[user].subscribe((user+1)*1_000_000, 1) })
	cost("a change of ten groups", len(conns), 8, func(user, _ int) error { return conns[user].subscribe((user+1)*10_000_000, 10) })
}
