package deployment

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/pkg/emitter"
)

// browsers is a load of browsers behind nginx, and a backend that emits.
type browsers struct {
	t          *testing.T
	clients    []*load.Client
	publishing *load.Publishing
}

const groupCount = 40

func browse(t *testing.T, nginx *harness.Nginx, broker *harness.Broker, count int) *browsers {
	t.Helper()
	b := &browsers{t: t}
	var groups []string
	for i := range groupCount {
		groups = append(groups, fmt.Sprintf("job_events-%d", i+1))
	}
	for i := range count {
		c := &load.Client{
			Name: fmt.Sprintf("browser %d", i+1), Addrs: []string{nginx.Addr}, TLS: nginx.TLS, Token: harness.TokenAdmin, Seed: uint64(i),
			Groups: []string{groups[i%groupCount], groups[(i+13)%groupCount]},
		}
		c.Start()
		b.clients = append(b.clients, c)
	}
	for _, c := range b.clients {
		select {
		case <-c.Ready():
		case <-time.After(60 * time.Second):
			t.Fatalf("%s had no subscribe reply", c.Name)
		}
	}
	e, err := emitter.Open(emitter.Options{URL: broker.BackendURL(), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = e.Close(ctx)
	})
	b.publishing = load.Publish(e, groups, 4, 15, 1)
	return b
}

// clean ends the load and holds it against the promise. It returns how many
// connections the browsers had.
func (b *browsers) clean() (connections int) {
	b.t.Helper()
	if failed := b.publishing.Stop(); len(failed) > 0 {
		b.t.Errorf("emits failed: %v", failed)
	}
	stopped := make(chan []*load.Record, len(b.clients))
	for _, c := range b.clients {
		go func() { stopped <- c.Stop() }()
	}
	var records []*load.Record
	for range b.clients {
		records = append(records, <-stopped...)
	}
	report := load.Check(b.publishing.Ledger, records)
	b.t.Logf("%d browsers, %d connections: %v", len(b.clients), len(records), report)
	if !report.Clean() || report.Delivered == 0 {
		b.t.Errorf("not clean: %v", report)
	}
	return len(records)
}

func (b *browsers) flow(d time.Duration) { <-time.After(d) }

// TestRollingRestart restarts every process, one after the other, while 500
// browsers watch.
func TestRollingRestart(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	broker := harness.OwnBroker(t)
	s := supervise(t, broker, manyBrowsers(t))
	nginx := harness.StartNginx(t)
	b := browse(t, nginx, broker, 500)
	b.flow(2 * time.Second)
	for _, name := range programs {
		at := time.Now()
		if out := s.control("restart", name); !strings.Contains(out, "started") {
			t.Fatalf("restart %s: %s", name, out)
		}
		s.waitReady(name)
		t.Logf("%s restarted in %v", name, time.Since(at).Round(time.Millisecond))
		b.flow(2 * time.Second)
	}
	if n := b.clean(); n <= 500 {
		t.Errorf("%d connections: nobody was asked to come back", n)
	}
}

// TestEachIsKilled kills every process; supervisord brings it back.
func TestEachIsKilled(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	broker := harness.OwnBroker(t)
	s := supervise(t, broker, manyBrowsers(t))
	nginx := harness.StartNginx(t)
	b := browse(t, nginx, broker, 50)
	for _, name := range programs {
		b.flow(2 * time.Second)
		s.kill(name)
	}
	b.flow(3 * time.Second)
	if n := b.clean(); n < 100 {
		t.Errorf("%d connections of 50 browsers: not all came back from both gateways", n)
	}
}
