package deployment

import (
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestSupervisordGoesAway: supervisord reads what its programs log. When it
// stands still, and when it is killed, browsers keep their connections and get
// their events, and what it left behind still drains when it is told to.
func TestSupervisordGoesAway(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	broker := harness.OwnBroker(t)
	more := manyBrowsers(t)
	more["gateway"] = append(more["gateway"], "BELFRY_LOG_LEVEL=debug")
	s := supervise(t, broker, more)
	nginx := harness.StartNginx(t)
	const count = 50
	b := browse(t, nginx, broker, count)
	var pids []int
	for i := range programs {
		pids = append(pids, s.pid(programs[len(programs)-1-i])) // gateways first
	}
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: it ended in order
		}
	})

	s.daemon.Signal(syscall.SIGSTOP)
	chatter(t) // more than a pipe holds
	b.flow(2 * time.Second)
	s.daemon.Signal(syscall.SIGCONT)
	b.flow(time.Second)
	s.daemon.Kill9()
	chatter(t)
	b.flow(2 * time.Second)
	if n := b.clean(); n != count {
		t.Errorf("%d connections of %d browsers: some were cut", n, count)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Errorf("signal %d: %v", pid, err)
		}
		harness.Until(t, 30*time.Second, "the process to end", func() bool { return syscall.Kill(pid, 0) != nil }) // it is init's child now
	}
}

// chatter makes both gateways log some 200 KB each.
func chatter(t *testing.T) {
	t.Helper()
	for _, addr := range harness.GatewayAddrs {
		for range 1000 {
			if _, _, err := harness.Get(t.Context(), "http://"+addr+"/nothing-is-here"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
