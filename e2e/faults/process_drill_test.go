//go:build drills

package faults

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
	"belfry/pkg/protocol"
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

// TestDrillNoWorkers has no worker for a while. Emits pile up, and those that
// wait for over 60 s expire; gateways close their connections after 30 s.
func TestDrillNoWorkers(t *testing.T) {
	for _, d := range []time.Duration{30 * time.Second, 90 * time.Second} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			in := harness.Start(t, pairs)
			tr := start(t, in, in.LoadEmitter(t))
			in.AwaitLeaders(t)
			for _, w := range in.Workers {
				w.Kill9()
			}
			tr.flow(d)
			back := time.Now()
			for _, w := range in.Workers {
				w.Restart(t)
			}
			in.WaitReady(t, 20*time.Second)
			tr.flow(15 * time.Second)
			tr.clean()
			tr.resumed("workers back", back, 10*time.Second)
			tr.served("workers back", back, 15*time.Second)
			tr.alive()
		})
	}
}

// TestDrillExpired lets emits of every group expire in the time for which
// connections stay without a worker: each is told of each of its groups.
func TestDrillExpired(t *testing.T) {
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	for _, w := range in.Workers {
		w.Kill9()
	}
	for _, g := range tr.groups {
		in.Publish(t, harness.Plain{Group: g, Payload: `{"old": 1}`, ID: rand.Text(), Expiration: time.Second})
	}
	tr.flow(15 * time.Second)
	back := time.Now()
	for _, w := range in.Workers {
		w.Restart(t)
	}
	in.WaitReady(t, 20*time.Second)
	tr.flow(10 * time.Second)
	tr.clean()
	for _, r := range tr.records {
		if missing := r.WithoutGapSince(back); len(missing) > 0 {
			t.Errorf("%s was not told of a gap of %v", r.Name, missing)
		}
	}
	expired := in.Workers[0].Metric(t, "belfry_worker_expired_total") + in.Workers[1].Metric(t, "belfry_worker_expired_total")
	if int(expired) != groupCount {
		t.Errorf("%v emits expired, want %d", expired, groupCount)
	}
	tr.alive()
}

// TestDrillRollingRestart stops and starts three workers, one after the other, twice.
func TestDrillRollingRestart(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 3, Shards: 4})
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	for range 2 {
		for _, w := range in.Workers {
			stopped(t, w, 10*time.Second)
			w.Restart(t)
			in.WaitReady(t, 20*time.Second)
			tr.flow(2 * time.Second)
		}
	}
	tr.nothingLost()
}

// TestDrillGatewayFrozen stops a gateway's clock for 40 s. Its queue waits for it.
func TestDrillGatewayFrozen(t *testing.T) {
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	in.Gateways[0].Signal(syscall.SIGSTOP)
	tr.flow(40 * time.Second)
	in.Gateways[0].Signal(syscall.SIGCONT)
	back := time.Now()
	tr.flow(15 * time.Second)
	tr.clean()
	tr.served("going on", back, 10*time.Second)
	tr.alive()
}

// TestDrillSameName runs two gateways and two workers that have one name, and
// kills one of each.
func TestDrillSameName(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, Env: []string{"BELFRY_NAME=twin"}})
	in.AddGateway(t, "gateway3", "BELFRY_NAME=twin")
	in.AddGateway(t, "gateway4", "BELFRY_NAME=twin")
	in.AddWorker(t, "worker3", "BELFRY_NAME=twin")
	in.WaitReady(t, 20*time.Second)
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(15 * time.Second)
	at := time.Now()
	in.Gateways[2].Kill9()
	in.Workers[2].Kill9()
	tr.flow(12 * time.Second)
	tr.clean()
	tr.served("twins killed", at, 10*time.Second)
	tr.alive()
}

// TestDrillPoison publishes, among the load and to its groups, what no worker
// can route, and what only others may say.
func TestDrillPoison(t *testing.T) {
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	var ids []string
	for i, payload := range []string{"", "\xff\xfe", `{"half": `, "plain", `{} {}`} {
		for _, g := range append([]string{"nodash", "no-\x01control"}, tr.groups...) {
			id := fmt.Sprintf("poison-%d-%s", i, rand.Text())
			in.Publish(t, harness.Plain{Group: g, Payload: payload, ID: id})
			ids = append(ids, id)
			tr.flow(20 * time.Millisecond)
		}
		in.Forge(t, tr.groups[i])
	}
	if parked := in.Parked(t, ids...); len(parked) != len(ids) {
		t.Errorf("%d of %d are parked", len(parked), len(ids))
	}
	tr.nothingLost()
}

// TestDrillDescriptors takes a gateway's last descriptors away under load, for
// 10 s. Whoever is connected does not notice, the loop that accepts does not
// spin, and new clients are served as soon as there is room.
func TestDrillDescriptors(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	g := in.Gateways[0]
	cpu := func() float64 { return g.Metric(t, "process_cpu_seconds_total") }
	before := cpu()
	tr.flow(10 * time.Second)
	usual := cpu() - before
	before = cpu()
	exhaust(t, g)
	tr.flow(10 * time.Second)
	g.LimitDescriptors(t, 1024)
	back := time.Now()
	harness.Until(t, 10*time.Second, "the gateway to accept again", func() bool {
		conn, _, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: g.Addr, Token: harness.TokenAdmin})
		if conn != nil {
			conn.Drop()
		}
		return err == nil && conn != nil
	})
	t.Logf("served %v after there was room; %v s of processor time as usual, %v s without room", time.Since(back), usual, cpu()-before)
	if took := cpu() - before; took > usual+2 {
		t.Errorf("10 s without descriptors took %v s of processor time, %v s are usual", took, usual)
	}
	if !strings.Contains(g.Log(), "too many open files") {
		t.Error("there was room all the time")
	}
	tr.nothingLost()
}

// exhaust leaves a gateway no descriptor: it may have four more, and forty
// connections want one.
func exhaust(t *testing.T, g *harness.Process) {
	t.Helper()
	g.LimitDescriptors(t, g.Descriptors(t)+4)
	for range 40 {
		conn, err := net.DialTimeout("tcp", g.Addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// TestDrillDescriptorsAndLinks cuts, besides, the gateway's links to the broker,
// which it cannot make again before there is room.
func TestDrillDescriptorsAndLinks(t *testing.T) {
	in, p := farGateway(t)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	g := in.Gateways[1]
	exhaust(t, g)
	p.Cut()
	tr.flow(12 * time.Second)
	g.LimitDescriptors(t, 1024)
	back := time.Now()
	tr.flow(12 * time.Second)
	tr.clean()
	tr.served("room again", back, 10*time.Second)
	tr.alive()
}

// TestDrillHogs lets two other programs a processor compete for 30 s.
func TestDrillHogs(t *testing.T) {
	in := harness.Start(t, pairs)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	var hogs []*harness.Process
	for i := range 2 * runtime.NumCPU() {
		hogs = append(hogs, harness.Hog(t, fmt.Sprintf("hog%d", i+1)))
	}
	tr.flow(30 * time.Second)
	for _, hog := range hogs {
		hog.Kill9()
	}
	tr.flow(3 * time.Second)
	tr.nothingLost()
}

// TestDrillCrowd lets 100 clients join and leave one group, 100 times a second,
// while workers are killed.
func TestDrillCrowd(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, GatewayEnv: []string{"BELFRY_LINGER=100ms"}})
	s := seed(t)
	tr := &traffic{t: t, groups: groups()}
	crowded := tr.groups[0]
	for i := range 100 {
		kept := tr.groups[1+i%(groupCount-1)]
		c := tr.client(in, i, s)
		c.Groups, c.SwapEvery = []string{kept}, time.Second
		inside := false
		c.Swap = func(*mathrand.Rand) []string {
			if inside = !inside; inside {
				return []string{kept, crowded}
			}
			return []string{kept}
		}
	}
	tr.run(in.LoadEmitter(t), s)
	in.AwaitLeaders(t)
	for _, w := range in.Workers {
		at := time.Now()
		w.Kill9()
		defer func() { tr.resumed("a worker killed", at, 2*time.Second) }()
		tr.flow(5 * time.Second)
		w.Restart(t)
		in.WaitReady(t, 20*time.Second)
		tr.flow(5 * time.Second)
	}
	tr.clean()
	tr.alive()
}

// TestDrillGoneWhileSubscribing drops 2,000 connections while their subscription
// is decided and joined. Nobody else notices, nothing of them stays, and each
// that was opened is closed once.
func TestDrillGoneWhileSubscribing(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, GatewayEnv: []string{"BELFRY_LINGER=100ms"}})
	next := follow(t, in, "connection.*")
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	goroutines := in.Gateways[0].Metric(t, "go_goroutines")
	rng := mathrand.New(mathrand.NewPCG(seed(t), 1))
	for i := range 2000 {
		conn, _, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: in.Addr(i), Token: harness.TokenPhone})
		if err != nil || conn == nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		_ = conn.Text(load.Subscription([]string{fmt.Sprintf("job_events-%d", 100+i%50)}))
		if within := rng.IntN(6); within > 0 {
			_, _ = conn.Next(time.Duration(within) * time.Millisecond)
		}
		conn.Drop()
	}
	harness.Until(t, 20*time.Second, "the dropped connections to be gone", func() bool {
		return in.Gateways[0].Metric(t, "belfry_gateway_connections")+in.Gateways[1].Metric(t, "belfry_gateway_connections") == clientCount
	})
	harness.Until(t, 20*time.Second, "their groups to be left", func() bool {
		return in.Workers[0].Metric(t, "belfry_worker_groups")+in.Workers[1].Metric(t, "belfry_worker_groups") == groupCount
	})
	harness.Until(t, 20*time.Second, "their goroutines to end", func() bool { return in.Gateways[0].Metric(t, "go_goroutines") < goroutines+20 })
	open := map[string]bool{}
	for closed := 0; closed < 2000; {
		switch report := next(); report.Kind {
		case protocol.LifeOpened:
			open[conn(report)] = true
		case protocol.LifeClosed:
			if !open[conn(report)] {
				t.Fatalf("closed, but not open: %+v", report)
			}
			delete(open, conn(report))
			closed++
		}
	}
	if len(open) != clientCount {
		t.Errorf("%d connections are open, as the events say; want %d", len(open), clientCount)
	}
	tr.nothingLost()
}

// conn names a report's connection.
func conn(r protocol.LifeReport) string { return fmt.Sprint(r.Gateway, r.Conn) }
