//go:build drills

package abuse

import (
	"context"
	"sync"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestAbuseGroups: each connection of the attackers sends 1,000 new ids, waits for the
// answer, and repeats.
func TestAbuseGroups(t *testing.T) {
	for _, attack := range []struct {
		name   string
		tokens []string
	}{
		{"1,000 new groups a message, 200 connections of one user", []string{harness.TokenAdmin}},
		{"1,000 new groups a message, 400 connections of two users", []string{harness.TokenAdmin, harness.TokenPhone}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
			in.AwaitLeaders(t)
			memory := func() float64 { return in.Gateways[0].Metric(t, "process_resident_memory_bytes") / (1 << 20) }
			var conns []*client
			for _, token := range attack.tokens {
				conns = append(conns, dialMany(t, in, 200, homeOfAttacks, token)...)
			}
			idle := memory()
			judge(t, attack.name, []deed{subscribing(t, in), handshakes(t, in, always(harness.TokenNamed))}, func(ctx context.Context, attackers *sync.WaitGroup) {
				for i, c := range conns {
					attackers.Go(func() {
						for ctx.Err() == nil {
							begin := time.Now()
							_ = c.subscribe((i+1)*1_000_000, 1000) // or it is told to try again
							within(ctx, begin)
						}
					})
				}
			})
			note(attack.name, "the gateway's memory from %.0f to %.0f MiB", idle, memory())
		})
	}
}
