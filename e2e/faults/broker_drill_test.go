//go:build drills

package faults

import (
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestDrillBrokerStopped stops the broker in order and starts it again, at once
// and after two minutes.
func TestDrillBrokerStopped(t *testing.T) {
	for _, away := range []time.Duration{0, 120 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			tr := drill(t, pairs)
			tr.in.Broker.Stop(t)
			tr.flow(away)
			tr.in.Broker.Restart(t)
			tr.mended("the broker back", 15*time.Second)
			tr.verdict()
		})
	}
}

// TestDrillAlarm lets the broker raise an alarm for a minute: emits wait,
// connections stay, new ones get 503, and nothing is lost.
func TestDrillAlarm(t *testing.T) {
	for _, alarm := range []struct {
		name       string
		raise, end []string
	}{
		{"memory", []string{"set_vm_memory_high_watermark", "absolute", "1MB"}, []string{"set_vm_memory_high_watermark", "0.4"}},
		{"disk", []string{"set_disk_free_limit", "900000GB"}, []string{"set_disk_free_limit", "50MB"}},
	} {
		t.Run(alarm.name, func(t *testing.T) {
			tr := drill(t, pairs)
			tr.in.Broker.Ctl(t, alarm.raise...)
			for _, g := range tr.in.Gateways {
				harness.Until(t, 15*time.Second, g.Name+" to hear of the alarm", func() bool { return g.Metric(t, "belfry_bus_blocked") == 1 })
			}
			_, before := tr.publishing.Ledger.Count()
			tr.flow(30 * time.Second)
			unavailable(t, tr.in)
			tr.flow(30 * time.Second)
			if _, after := tr.publishing.Ledger.Count(); after != before {
				t.Errorf("%d emits were confirmed during the alarm", after-before)
			}
			for _, c := range tr.clients {
				if c.Ended() > 0 {
					t.Errorf("%s lost its connection", c.Name)
				}
			}
			tr.in.Broker.Ctl(t, alarm.end...)
			tr.mended("the alarm over", 15*time.Second)
			if r := tr.verdict(); r.LostWithGap+r.LostAtClose != 0 {
				t.Errorf("an alarm lost events: %v", r)
			}
		})
	}
}

// TestDrillConnectionsClosed closes connections as an operator does: each kind
// of one, and then all.
func TestDrillConnectionsClosed(t *testing.T) {
	tr := drill(t, pairs)
	for _, name := range []string{
		"gateway gateway1 publish", "gateway gateway1 consume",
		"worker worker1 publish", "worker worker1 consume", "worker worker2 publish", "worker worker2 consume",
	} {
		tr.in.Broker.CloseConnection(t, name)
		tr.mended(name+" closed", 2*time.Second)
	}
	tr.in.Broker.CtlVHost(t, "close_all_connections", "a drill")
	tr.mended("all closed", 15*time.Second)
	tr.verdict()
}
