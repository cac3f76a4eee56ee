package brokertest

import (
	"context"
	"os"
	"testing"
	"time"
)

// Start starts a node for a test and ends it with the test. Without RabbitMQ
// the test fails: a skipped broker half would look like a pass. Only -short
// skips, and says so.
func Start(t testing.TB) *Node {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no broker is started; make test runs this against a real RabbitMQ")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "belfry-broker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n, err := StartNode(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}
