package rabbit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestANodeWithoutAReplica serves no reader, as one that joined the cluster after
// the log was declared; the next node does.
func TestANodeWithoutAReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no broker is started; make test runs this against a real RabbitMQ")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := brokertest.StartCluster(ctx, t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	has, hasNot := c[0].URL("guest"), c[1].URL("guest")
	declareAlone(t, has)
	b := openBus(t, Options{URL: has})
	declareLog(t, b, "log") // with other arguments, and taken as it is
	write(t, b, "log", "1")

	alone := openBus(t, Options{URL: hasNot})
	if _, err := alone.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: "log"}); !errors.Is(err, amqpbus.ErrLogRefused) || !strings.Contains(err.Error(), "add_replica") {
		t.Errorf("a node without a replica: %v", err)
	}
	write(t, alone, "log", "2") // what is published there arrives
	both := openBus(t, Options{URL: hasNot + "," + has})
	for range 3 { // beginning with either
		read(t, openReader(t, both, "log", 0), 2)
	}
}

// declareAlone declares a log with one replica, at the node of the address.
func declareAlone(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	_, err = ch.QueueDeclare("log", true, false, false, false, amqp.Table{"x-queue-type": "stream", "x-initial-cluster-size": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
}
