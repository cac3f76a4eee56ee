package rabbit_test

import (
	"errors"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestNewQueueIsNotResumed fails between declaring a missing queue and
// consuming it: the user may not read yet. A link lost there leaves the same.
func TestNewQueueIsNotResumed(t *testing.T) {
	n := brokertest.Share(t)
	if err := n.AddUser("narrow", ".*", ".*", "^$"); err != nil {
		t.Fatal(err)
	}
	b, other := open(t, n, "narrow"), open(t, n, "guest")
	until(t, b, "connected", connected)
	until(t, other, "connected", connected)
	options := func(queue string) amqpbus.ConsumerOptions {
		return amqpbus.ConsumerOptions{
			Queue: queue, Exclusive: true, Prefetch: 10,
			Declare: &amqpbus.Topology{Queues: []amqpbus.Queue{{Name: queue}}},
		}
	}
	queue(t, other, amqpbus.Queue{Name: "there"})
	for _, q := range []string{"missing", "there"} {
		for range 2 { // the second attempt finds the queue
			if _, err := b.OpenConsumer(t.Context(), options(q)); err == nil || errors.Is(err, amqpbus.ErrNoQueue) {
				t.Fatalf("consume %s without the permission: %v", q, err)
			}
		}
	}
	if err := n.Node.Permit(n.Name, "narrow", ".*", ".*", ".*"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		queue string
		want  bool
		what  string
	}{
		{"there", true, "a queue that was always there"},
		{"missing", false, "a queue that was missing and never consumed"},
		{"missing", true, "a queue that was missing and is consumed again"},
	} {
		con, err := b.OpenConsumer(t.Context(), options(c.queue))
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if con.Resumed() != c.want {
			t.Errorf("%s: resumed is %v", c.what, con.Resumed())
		}
		if err := con.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
