package membus_test

import (
	"testing"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/bustest"
	"belfry/pkg/amqpbus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract holds the twin to the contract that RabbitMQ is held to.
func TestContract(t *testing.T) {
	broker := membus.New()
	bustest.Run(t, func(_ testing.TB, user string) amqpbus.Bus { return broker.Open(user) })
}
