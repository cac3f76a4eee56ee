//go:build drills

package faults

import (
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestDrillWorkersKilledOnAndOn kills a worker every 3 s for two minutes, each in its turn.
func TestDrillWorkersKilledOnAndOn(t *testing.T) {
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(3 * time.Second)
	for i := range 40 {
		w := in.Workers[i%len(in.Workers)]
		w.Kill9()
		tr.flow(3 * time.Second)
		w.Restart(t)
	}
	in.WaitReady(t, 20*time.Second)
	last := time.Now()
	tr.flow(5 * time.Second)
	tr.clean()
	tr.resumed("all workers back", last, 2*time.Second)
	tr.alive()
}
