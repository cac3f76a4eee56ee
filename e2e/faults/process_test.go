package faults

import (
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

var pairs = harness.Shape{Gateways: 2, Workers: 2, Shards: 1}

// TestWorkerKilled kills the worker that is active. After the first kill the
// other one certainly is, so the second kill meets an active worker.
func TestWorkerKilled(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t) // each event takes its own route, until the kill
	first := time.Now()
	in.Workers[0].Kill9()
	tr.flow(5 * time.Second)
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	tr.flow(2 * time.Second)
	second := time.Now()
	in.Workers[1].Kill9()
	tr.flow(6 * time.Second)
	tr.clean()
	tr.resumed("the first worker killed", first, 2*time.Second)
	tr.resumed("the active worker killed", second, 2*time.Second)
	tr.alive()
}

// TestWorkerKilledFourShards is the same where each worker has shards.
func TestWorkerKilledFourShards(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 4})
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(3 * time.Second)
	in.Workers[0].Kill9()
	tr.flow(4 * time.Second)
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	in.Workers[1].Kill9()
	tr.flow(5 * time.Second)
	tr.clean()
	tr.alive()
}

// TestWorkerKilledWithoutIDs emits as a backend that sets no message id: what
// a worker's death doubles is a figure, everything else is as ever.
func TestWorkerKilledWithoutIDs(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.PlainEmitter(t))
	tr.flow(3 * time.Second)
	in.Workers[0].Kill9()
	tr.flow(4 * time.Second)
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	in.Workers[1].Kill9()
	tr.flow(4 * time.Second)
	r := tr.report()
	t.Logf("without message ids: %d duplicates", r.Duplicated)
	if !r.CleanButDuplicates() {
		t.Errorf("not clean: %v", r)
	}
	tr.alive()
}

// TestWorkerFrozen stops the active worker's clock for longer than its broker
// connection lives, and lets it go on: it is fenced.
func TestWorkerFrozen(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.Workers[1].Kill9() // so that the first is active
	tr.flow(3 * time.Second)
	in.Workers[1].Restart(t)
	in.WaitReady(t, 20*time.Second)
	frozen := time.Now()
	in.Workers[0].Signal(syscall.SIGSTOP)
	tr.flow(20 * time.Second)
	in.Workers[0].Signal(syscall.SIGCONT)
	tr.flow(6 * time.Second)
	tr.clean()
	tr.resumed("the active worker frozen", frozen, 15*time.Second)
	tr.alive()
}

// TestGatewayKilled kills a gateway: its clients come back at the other.
func TestGatewayKilled(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(3 * time.Second)
	at := time.Now()
	in.Gateways[0].Kill9()
	tr.flow(5 * time.Second)
	in.Gateways[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	tr.flow(4 * time.Second)
	tr.clean()
	tr.alive()
	for _, r := range tr.records {
		if r.Accepted.After(at) && r.Accepted.Sub(at) > harness.Within(10*time.Second) {
			t.Errorf("%s came back after %v", r.Name, r.Accepted.Sub(at))
		}
	}
}

// TestWorkerStopped deploys workers at noon: nothing is lost, nothing doubled.
func TestWorkerStopped(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	for _, w := range in.Workers {
		tr.flow(2 * time.Second)
		stopped(t, w, 10*time.Second)
		tr.flow(2 * time.Second)
		w.Restart(t)
		in.WaitReady(t, 20*time.Second)
	}
	tr.flow(2 * time.Second)
	r := tr.clean()
	if r.LostWithGap+r.LostAtClose != 0 {
		t.Errorf("a stopped worker lost events: %v", r)
	}
	for _, record := range tr.records {
		if record.Gaps() != 0 {
			t.Errorf("%s was told of a gap", record.Name)
		}
	}
	tr.alive()
}

// TestGatewayStopped deploys a gateway at noon: its clients are told 1001.
func TestGatewayStopped(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t) // each event takes its own route
	stopped(t, in.Gateways[0], 25*time.Second)
	tr.flow(2 * time.Second)
	r := tr.clean()
	if r.LostWithGap != 0 {
		t.Errorf("a stopped gateway lost events: %v", r)
	}
	// A figure, not a bar: docs/decisions/0012.
	t.Logf("cut off by the drain: %d events of %d, the earliest published %v before the close", r.LostAtClose, r.Confirmed, r.EarliestAtClose)
	told := 0
	for _, record := range tr.records {
		if record.Left.IsZero() && record.Code != 1001 {
			t.Errorf("%s ended with %d, not 1001", record.Name, record.Code)
		}
		if record.Code == 1001 {
			told++
		}
	}
	if told < clientCount/2 {
		t.Errorf("%d connections were told 1001, want at least %d", told, clientCount/2)
	}
	tr.alive()
}

func stopped(t *testing.T, p *harness.Process, grace time.Duration) {
	t.Helper()
	began := time.Now()
	status, err := p.Terminate(grace)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s ended %v after SIGTERM", p.Name, time.Since(began).Round(time.Millisecond))
	if status != 0 {
		t.Errorf("%s ended with status %d", p.Name, status)
	}
}
