// Package faults breaks Belfry under load, with real processes and a private
// RabbitMQ, and lets the checker of package load say what came of it. The bar is
// the same everywhere: nothing lost without a gap, nothing doubled, nothing out
// of order, nothing to the wrong browser.
package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// seed makes the load's choices; E2E_SEED replays one.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("E2E_SEED: %v", err)
		}
	}
	t.Logf("E2E_SEED=%d", s)
	return s
}

func needsBroker(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs RabbitMQ: not in -short")
	}
}

// traffic is a load at work: publishers, and clients spread over the gateways,
// each of which watches a few of the groups.
type traffic struct {
	t          *testing.T
	groups     []string
	publishing *load.Publishing
	clients    []*load.Client
	records    []*load.Record
	failed     map[string]int
}

const (
	groupCount   = 12
	allowedCount = 8 // of the groups, for user 8
	clientCount  = 16
	publishers   = 4
	rate         = 60 // emits a second and publisher
)

// start brings the clients up and then the publishers.
func start(t *testing.T, in *harness.Installation, e load.Emitter) *traffic {
	t.Helper()
	s := seed(t)
	tr := &traffic{t: t}
	tr.groups = groups()
	for i := range clientCount {
		c := tr.client(in, i, s)
		c.Groups = []string{tr.groups[i%groupCount], tr.groups[(i+3)%groupCount], tr.groups[(i+7)%groupCount]}
	}
	tr.run(e, s)
	return tr
}

// groups are those that are emitted to. User 8 may see the first of them only.
func groups() []string {
	var out []string
	for i := range groupCount {
		name := "job_events"
		if i >= allowedCount {
			name = "audit_events"
		}
		out = append(out, fmt.Sprintf("%s-%d", name, i+1))
	}
	return out
}

// client adds the i-th client: every other one is user 8, who may not see all
// groups.
func (tr *traffic) client(in *harness.Installation, i int, s uint64) *load.Client {
	c := &load.Client{
		Name: fmt.Sprintf("client %d", i+1), Addrs: rotated(in.Addrs(), i), Token: harness.TokenAdmin, Seed: s + uint64(i),
	}
	if i%2 == 1 {
		c.Token = harness.TokenUser
		c.Allowed = func(group string) bool { return strings.HasPrefix(group, "job_events-") }
	}
	tr.clients = append(tr.clients, c)
	return c
}

func (tr *traffic) run(e load.Emitter, s uint64) {
	tr.t.Helper()
	for _, c := range tr.clients {
		c.Start()
	}
	tr.t.Cleanup(func() { tr.finish() })
	for _, c := range tr.clients {
		select {
		case <-c.Ready():
		case <-time.After(20 * time.Second):
			tr.t.Fatalf("%s had no subscribe reply", c.Name)
		}
	}
	tr.publishing = load.Publish(e, tr.groups, publishers, rate, s)
}

func rotated(list []string, by int) []string {
	by %= len(list)
	return append(append([]string{}, list[by:]...), list[:by]...)
}

// flow lets the load run for a while.
func (tr *traffic) flow(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// finish stops publishers and clients. It may be called twice.
func (tr *traffic) finish() {
	if tr.clients == nil {
		return
	}
	if tr.publishing != nil {
		tr.failed = tr.publishing.Stop()
	}
	stopped := make(chan []*load.Record, len(tr.clients))
	for _, c := range tr.clients {
		go func() { stopped <- c.Stop() }()
	}
	for range tr.clients {
		tr.records = append(tr.records, <-stopped...)
	}
	tr.clients = nil
}

// report stops everything and says what the checker found.
func (tr *traffic) report() load.Report {
	tr.t.Helper()
	tr.finish()
	r := load.Check(tr.publishing.Ledger, tr.records)
	tr.t.Logf("%d connections: %v", len(tr.records), r)
	if len(tr.failed) > 0 {
		tr.t.Logf("emits that were not confirmed: %v", tr.failed)
	}
	if r.Delivered == 0 {
		tr.t.Error("nothing was delivered at all")
	}
	if r.Denied < clientCount/2 {
		tr.t.Errorf("%d groups were denied: every other client asks for one at least", r.Denied)
	}
	return r
}

// clean is the bar of every fault.
func (tr *traffic) clean() load.Report {
	tr.t.Helper()
	r := tr.report()
	if !r.Clean() {
		tr.t.Errorf("not clean: %v", r)
	}
	return r
}

// resumed says how long after at the last client got its next event, and fails
// when that is over the bar.
func (tr *traffic) resumed(what string, at time.Time, bar time.Duration) {
	tr.t.Helper()
	first := time.Duration(-1)
	for _, r := range tr.records {
		// The first 50 ms may still bring what was on its way.
		if next := r.FirstEventAfter(at.Add(50 * time.Millisecond)); !next.IsZero() && (first < 0 || next.Sub(at) < first) {
			first = next.Sub(at)
		}
	}
	tr.t.Logf("%s: first delivery after %v", what, first)
	if first < 0 || first > harness.Within(bar) {
		tr.t.Errorf("%s: first delivery after %v, the bar is %v", what, first, bar)
	}
}

// firsts are the clients' first connections.
func (tr *traffic) firsts() map[string]*load.Record {
	out := map[string]*load.Record{}
	for _, r := range tr.records {
		if before := out[r.Client]; before == nil || r.Accepted.Before(before.Accepted) {
			out[r.Client] = r
		}
	}
	return out
}

// alive fails when a client's last connection does not get events at the end.
func (tr *traffic) alive() {
	tr.t.Helper()
	last := map[string]*load.Record{}
	for _, r := range tr.records {
		if before := last[r.Client]; before == nil || r.Accepted.After(before.Accepted) {
			last[r.Client] = r
		}
	}
	for name, r := range last {
		if r.LastEvent().IsZero() {
			tr.t.Errorf("%s: its last connection got no event", name)
		}
	}
}
