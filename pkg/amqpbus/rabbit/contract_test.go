package rabbit_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/bustest"
	"belfry/pkg/amqpbus/rabbit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(brokertest.Sharing{Tests: m})
}

// broker is a node, or a virtual host of one.
type broker interface{ URL(user string) string }

// open opens a bus that the test closes at its end.
func open(t testing.TB, n broker, user string) amqpbus.Bus {
	t.Helper()
	b, err := rabbit.Open(rabbit.Options{URL: n.URL(user), Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestContract holds RabbitMQ to the contract that the twin is held to.
func TestContract(t *testing.T) {
	n := brokertest.Share(t)
	for _, user := range []string{bustest.UserA, bustest.UserB} {
		if err := n.AddUser(user, ".*", ".*", ".*"); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Run(t, func(t testing.TB, user string) amqpbus.Bus { return open(t, n, user) })
}
