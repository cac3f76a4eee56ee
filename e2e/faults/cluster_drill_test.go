//go:build drills

package faults

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
	"belfry/pkg/amqpbus/brokertest"
)

// TestDrillClusterLeaderKilled kills the node that leads the shard's queue.
func TestDrillClusterLeaderKilled(t *testing.T) {
	c, tr := clusterDrill(t)
	leader := c.Leader(t, c.Nodes[0])
	leader.Kill9()
	tr.mended("the leader killed", 15*time.Second)
	tr.serves(15 * time.Second)
	again(t, leader)
	tr.mended("its node back", 15*time.Second)
	tr.verdict()
}

// TestDrillClusterNodeCutOff stops the clock of the node that leads the shard's
// queue, which is to its mates as if it were cut off. The broker gives no verdict
// on what is on its way to it, or is sent to it before another leads, until it is
// back: publishers have to find out by themselves.
func TestDrillClusterNodeCutOff(t *testing.T) {
	c, tr := clusterDrill(t)
	leader := c.Leader(t, c.Nodes[0])
	cut := time.Now()
	leader.Pause()
	tr.serves(28 * time.Second)
	tr.mended("the node cut off", 15*time.Second)
	tr.flow(30*time.Second - time.Since(cut))
	leader.Resume()
	tr.mended("its node back", 15*time.Second)
	tr.verdict()
}

// TestDrillClusterRollingRestart restarts one node after the other, as an
// upgrade does.
func TestDrillClusterRollingRestart(t *testing.T) {
	c, tr := clusterDrill(t)
	for _, n := range c.Nodes {
		n.Stop()
		tr.mended(n.Name()+" stopped", 15*time.Second)
		again(t, n)
		tr.mended(n.Name()+" back", 15*time.Second)
	}
	tr.verdict()
}

func clusterDrill(t *testing.T) (*harness.Cluster, *trial) {
	t.Helper()
	t.Parallel()
	c := harness.StartCluster(t)
	shape := pairs
	shape.Broker, shape.Env = c.Broker, []string{"BELFRY_QUEUE_TYPE=quorum"}
	return c, drill(t, shape)
}

// serves waits until every gateway serves a browser that comes now, with an emit
// of a backend that comes now.
func (tr *trial) serves(within time.Duration) {
	tr.t.Helper()
	from := time.Now()
	for i, g := range tr.in.Gateways {
		failed := "was not there yet"
		harness.Until(tr.t, within-time.Since(from), g.Name+" to serve a new browser", func() bool {
			if at := tr.serve(i); at != failed {
				failed = at
				tr.t.Logf("%s, %v later: a new browser %s", g.Name, time.Since(from).Round(time.Millisecond), cmp.Or(at, "is served"))
			}
			return failed == ""
		})
	}
}

// serve lets a browser come to a gateway and get an event. It says what failed.
func (tr *trial) serve(gateway int) (failed string) {
	conn, _, err := wsclient.Dial(tr.t.Context(), wsclient.Request{Addr: tr.in.Addr(gateway), Token: harness.TokenAdmin})
	if err != nil || conn == nil {
		return "cannot connect"
	}
	defer conn.Drop()
	if err := conn.Text(load.Subscription([]string{"job_events-1000"})); err != nil {
		return "cannot ask"
	}
	for _, want := range []string{`{"accept": true`, `{"groups_current": ["job_events-1000"]`} {
		if got, err := conn.Next(6 * time.Second); err != nil || !strings.HasPrefix(got, want) {
			return "cannot subscribe"
		}
	}
	ctx, cancel := context.WithTimeout(tr.t.Context(), 3*time.Second)
	defer cancel()
	if err := tr.in.PlainEmitter(tr.t).Emit(ctx, "job_events-1000", []byte(`{"new": 1}`)); err != nil {
		return "waits for an event that is not confirmed"
	}
	if got, err := conn.Next(3 * time.Second); err != nil || got != `{"new": 1}` {
		return "does not get its event"
	}
	return ""
}

func again(t *testing.T, n *brokertest.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := n.StartAgain(ctx); err != nil {
		t.Fatal(err)
	}
}
