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
		shape.Broker = harness.OwnBroker(t)
	}
	in := harness.Start(t, shape)
	tr := &trial{traffic: start(t, in, in.LoadEmitter(t)), in: in}
	in.Settled(t)
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
		last := time.Duration(0)
		for client, at := range tr.firstEvents(m.at.Add(50 * time.Millisecond)) { // what was on its way does not count
			if at.IsZero() {
				tr.t.Errorf("%s: %s got nothing any more", m.what, client)
				continue
			}
			last = max(last, at.Sub(m.at))
		}
		tr.t.Logf("%s: everybody got events within %v", m.what, last.Round(time.Millisecond))
		if last > m.bar {
			tr.t.Errorf("%s: the last client got its first event after %v, the bar is %v", m.what, last, m.bar)
		}
	}
	tr.alive()
}

// firstEvents is when each client got its first event after t; zero: never.
func (tr *trial) firstEvents(t time.Time) map[string]time.Time {
	out := map[string]time.Time{}
	for _, r := range tr.records {
		at, before := r.FirstEventAfter(t), out[r.Client]
		if before.IsZero() || !at.IsZero() && at.Before(before) {
			out[r.Client] = at
		}
	}
	return out
}
