package operations

import (
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestAnotherNumberOfShards starts a worker and a gateway with another number
// beside an installation: the worker ends, the gateway never gets ready, both
// say why, and the installation works on.
func TestAnotherNumberOfShards(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	const why = "another BELFRY_SHARDS or BELFRY_QUEUE_TYPE"

	worker := in.AddWorker(t, "worker2", "BELFRY_SHARDS=4")
	worker.MayEnd()
	select {
	case <-worker.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the worker did not end")
	}
	if status := worker.ExitCode(); status != 1 || !strings.Contains(worker.Log(), why) {
		t.Errorf("the worker ended with %d and said\n%s", status, worker.Log())
	}

	gateway := in.AddGateway(t, "gateway2", "BELFRY_SHARDS=4")
	harness.Until(t, 20*time.Second, "the gateway to say why", func() bool { return strings.Contains(gateway.Log(), why) })
	if err := gateway.Ready(t.Context()); err == nil {
		t.Error("the gateway is ready")
	}
	for _, name := range in.Broker.Queues(t) {
		if strings.Contains(name, ".n4.") {
			t.Errorf("%s is there", name)
		}
	}
	if err := in.Workers[0].WaitReady(time.Second); err != nil {
		t.Error(err)
	}
}
