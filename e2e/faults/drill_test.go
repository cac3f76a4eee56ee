//go:build drills

package faults

import (
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
)

// trial is an installation with a broker of its own and a load, while somebody
// breaks things and mends them.
type trial struct {
	*traffic
	in    *harness.Installation
	mends []mend
}

// mend is a moment from which on everybody must get events again.
type mend struct {
	what string
	at   time.Time
	bar  time.Duration
}

// drill starts one and waits until each event takes its own route.
func drill(t *testing.T, shape harness.Shape) *trial {
	t.Helper()
	if shape.Broker == nil {
		t.Parallel() // it waits more than it computes
		shape.Broker = harness.OwnBroker(t)
	}
	in := harness.Start(t, shape)
	tr := &trial{traffic: start(t, in, in.LoadEmitter(t)), in: in}
	in.AwaitLeaders(t)
	return tr
}

// mended says that everybody must get events within bar from now on, and lets
// the load run for long enough to see it.
func (tr *trial) mended(what string, bar time.Duration) {
	tr.t.Helper()
	tr.mends = append(tr.mends, mend{what, time.Now(), bar})
	tr.in.WaitReady(tr.t, 30*time.Second)
	tr.flow(5 * time.Second)
}

// verdict stops the load and holds it against the bar of every fault, and each
// client against each mend.
func (tr *trial) verdict() load.Report {
	tr.t.Helper()
	r := tr.clean()
	tr.resumedAfterMends()
	return r
}

func (tr *trial) resumedAfterMends() {
	tr.t.Helper()
	for _, m := range tr.mends {
		tr.served(m.what, m.at, m.bar)
	}
	tr.alive()
}

// served fails when a client did not get its next event within the bar.
func (tr *traffic) served(what string, at time.Time, bar time.Duration) {
	tr.t.Helper()
	first := map[string]time.Time{}
	for _, r := range tr.records {
		next := r.FirstEventAfter(at.Add(50 * time.Millisecond)) // what was on its way does not count
		if before := first[r.Client]; !next.IsZero() && (before.IsZero() || next.Before(before)) {
			first[r.Client] = next
		}
	}
	slowest := time.Duration(0)
	for _, next := range first {
		slowest = max(slowest, next.Sub(at))
	}
	tr.t.Logf("%s: the last client is served after %v", what, slowest)
	if slowest > bar || len(first) < clientCount {
		tr.t.Errorf("%s: %d clients are served after %v, all %d were to be within %v", what, len(first), slowest, clientCount, bar)
	}
}
