package operations

import (
	"testing"
	"time"

	"belfry/e2e/harness"
)

// What the deployment files allow from SIGTERM to the end, less than which the
// programs need.
const (
	gatewayGrace = 25 * time.Second
	workerGrace  = 10 * time.Second
)

// TestStoppingBesideABrokerThatDoesNotAnswer: a supervisor need not kill what it
// stops while the broker has an alarm, or hangs.
func TestStoppingBesideABrokerThatDoesNotAnswer(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for name, trouble := range map[string]func(t *testing.T, b *harness.Broker){
		"alarm": func(t *testing.T, b *harness.Broker) { b.Ctl(t, "set_vm_memory_high_watermark", "0.00001") },
		"hung": func(t *testing.T, b *harness.Broker) {
			b.Pause()
			t.Cleanup(b.Resume)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Broker: n.Broker})
			trouble(t, n.Broker)
			if name == "alarm" { // a connection is told when it next publishes
				says(t, in.Gateways[0], "low on memory")
			}
			for _, p := range []struct {
				process *harness.Process
				grace   time.Duration
			}{{in.Workers[0], workerGrace}, {in.Gateways[0], gatewayGrace}} {
				if _, err := p.process.Terminate(p.grace); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
