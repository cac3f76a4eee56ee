package harness

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// Cluster is three private nodes that are one broker, behind a TCP balancer
// which gives each connection to the next node that answers.
type Cluster struct {
	*Broker
	Nodes brokertest.Cluster
}

// StartCluster starts one for a test alone.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	nodes, err := brokertest.StartCluster(ctx, t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nodes.Stop)
	c := &Cluster{Broker: OnNode(t, nodes[0]), Nodes: nodes}
	c.via = balance(t, nodes)
	return c
}

// Leader is the node that leads a shard's quorum queue, asked of a node that is
// there.
func (c *Cluster) Leader(t testing.TB, asked *brokertest.Node) *brokertest.Node {
	t.Helper()
	out, err := asked.Ctl("list_queues", "-p", c.vhost, "--no-table-headers", "name", "leader")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		queue, leader, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for _, n := range c.Nodes {
			if queue == amqpbus.LogQueue(1, 0) && leader == n.Name() {
				return n
			}
		}
	}
	t.Fatalf("no node leads the shard's queue:\n%s", out)
	return nil
}

// balance listens for the cluster and returns where.
func balance(t testing.TB, nodes brokertest.Cluster) string {
	t.Helper()
	l, err := net.Listen("tcp", FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var turn atomic.Uint64
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go carry(client, nodes, int(turn.Add(1)))
		}
	}()
	return l.Addr().String()
}

// carry joins a client to the first node from a turn on that answers, until one
// of the two ends.
func carry(client net.Conn, nodes brokertest.Cluster, turn int) {
	defer func() { _ = client.Close() }()
	for i := range nodes {
		next := nodes[(turn+i)%len(nodes)]
		if !next.Answers(500 * time.Millisecond) {
			continue
		}
		node, err := net.Dial("tcp", next.Address())
		if err != nil {
			return
		}
		defer func() { _ = node.Close() }()
		ended := make(chan struct{}, 2)
		for from, to := range map[net.Conn]net.Conn{client: node, node: client} {
			go func() {
				_, _ = io.Copy(to, from)
				ended <- struct{}{}
			}()
		}
		<-ended
		return
	}
}
