package rabbit

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// TestTheReasonOfAnEndIsHeard: when a channel ends, the library tells why and closes all
// its listeners; the reason must not depend on which of them is looked at first.
func TestTheReasonOfAnEndIsHeard(t *testing.T) {
	for range 100 {
		lost, cancelled := make(chan *amqp.Error, 1), make(chan string, 1)
		lost <- &amqp.Error{Code: amqp.InternalError, Reason: "INTERNAL_ERROR", Server: true}
		close(lost)
		close(cancelled)
		c := logChannel{lost: lost, cancelled: cancelled}
		if why := c.verdict(); !errors.Is(why, amqpbus.ErrLogRefused) || !errors.Is(why, errBroke) {
			t.Fatalf("the broker failed: %v", why)
		}
		if why := c.verdict(); !errors.Is(why, amqpbus.ErrLinkLost) {
			t.Fatalf("the channel was closed: %v", why)
		}
	}
	lost, cancelled := make(chan *amqp.Error, 1), make(chan string, 1)
	cancelled <- "belfry"
	if is, e := whatEnded(cancelled, lost); !is || e != nil {
		t.Errorf("the broker cancelled the consumer: %v, %v", is, e)
	}
}
