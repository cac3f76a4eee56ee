//go:build drills

package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// The user of the drills' gateways and workers.
const (
	drillUser     = "belfry"
	drillPassword = "the-password-of-the-drill"
)

// TestDrillPermissionsRevoked takes a running installation's permissions away,
// and gives them back.
func TestDrillPermissionsRevoked(t *testing.T) {
	tr := rightsDrill(t)
	logs := logsOf(slices.Concat(tr.in.Gateways, tr.in.Workers))
	tr.in.Broker.CtlVHost(t, "clear_permissions", drillUser)
	tr.flow(5 * time.Second)
	tr.in.Broker.CtlVHost(t, "close_all_connections", "a drill")
	tr.flow(15 * time.Second)
	logs.tell(t, "give permissions (rabbitmqctl set_permissions", 20*time.Second)
	tr.in.Broker.Permit(t, drillUser, ".*", ".*", ".*")
	tr.mended("permissions given back", 15*time.Second)
	tr.verdict()
}

// TestDrillPasswordChanged changes the password under a running installation:
// it works on until its connections end, says what is wrong, and is well again
// with the old one.
func TestDrillPasswordChanged(t *testing.T) {
	tr := rightsDrill(t)
	logs := logsOf(slices.Concat(tr.in.Gateways, tr.in.Workers))
	tr.in.Broker.Ctl(t, "change_password", drillUser, "another")
	tr.mended("the password changed", 2*time.Second)
	tr.in.Broker.CtlVHost(t, "close_all_connections", "a drill")
	tr.flow(20 * time.Second)
	logs.tell(t, "the broker refused user or password", 25*time.Second)
	tr.in.Broker.Ctl(t, "change_password", drillUser, drillPassword)
	tr.mended("the password changed back", 15*time.Second)
	tr.verdict()
}

// TestDrillWrongPassword starts a gateway and a worker with a wrong password.
func TestDrillWrongPassword(t *testing.T) {
	tr := rightsDrill(t)
	wrong := "BELFRY_AMQP_URL=" + tr.in.Broker.URLOf(drillUser, drillPassword+"-but-wrong")
	processes := []*harness.Process{tr.in.AddGateway(t, "gateway3", wrong), tr.in.AddWorker(t, "worker3", wrong)}
	logs := logsOf(processes)
	tr.flow(20 * time.Second)
	logs.tell(t, "the broker refused user or password", 20*time.Second)
	for _, p := range processes {
		if err := p.Ready(t.Context()); err == nil {
			t.Errorf("%s is ready", p.Name)
		}
		stopped(t, p, 30*time.Second)
	}
	tr.verdict()
}

// rightsDrill is a drill whose gateways and workers have a user of their own.
func rightsDrill(t *testing.T) *trial {
	t.Helper()
	t.Parallel()
	shape := pairs
	shape.Broker = harness.OwnBroker(t)
	shape.Broker.Ctl(t, "add_user", drillUser, drillPassword)
	shape.Broker.Permit(t, drillUser, ".*", ".*", ".*")
	shape.Env = []string{"BELFRY_AMQP_URL=" + shape.Broker.URLOf(drillUser, drillPassword)}
	return drill(t, shape)
}

// logs are what processes wrote before something happened.
type logs map[*harness.Process]int

func logsOf(processes []*harness.Process) logs {
	out := logs{}
	for _, p := range processes {
		out[p] = len(p.Log())
	}
	return out
}

// tell fails unless each process has told of its trouble since, not more often
// than twice a second, and without the password.
func (l logs) tell(t *testing.T, what string, within time.Duration) {
	t.Helper()
	for p, before := range l {
		log := p.Log()[before:]
		if !strings.Contains(log, what) {
			t.Errorf("%s does not tell %q", p.Name, what)
		}
		if strings.Contains(log, drillPassword) {
			t.Errorf("%s tells the password", p.Name)
		}
		lines := strings.Count(log, "\n")
		t.Logf("%s wrote %d lines in %v", p.Name, lines, within)
		if lines > 2*int(within/time.Second) {
			t.Errorf("%s wrote %d lines in %v: a hot loop", p.Name, lines, within)
		}
	}
}
