package brokertest

import (
	"context"
	"os"
	"testing"
)

// Start starts a node for a test alone, which may stop, kill or alarm it, and
// ends it with the test. Without RabbitMQ the test fails: a skipped broker half
// would look like a pass. Only -short skips, and says so.
func Start(t testing.TB) *Node {
	t.Helper()
	short(t)
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
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

// Share gives a test a virtual host of its own on the node that all tests share,
// and removes it with the test. TestMain must run the tests by Sharing.
func Share(t testing.TB) *VHost {
	t.Helper()
	short(t)
	n, err := sharedNode()
	if err != nil {
		t.Fatal(err)
	}
	v, err := n.NewVHost()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.DeleteVHost(v.Name); err != nil {
			t.Error(err)
		}
	})
	return v
}

func short(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no broker is started; make test runs this against a real RabbitMQ")
	}
}
