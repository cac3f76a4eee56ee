package rabbit

import (
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
)

// maxShortString is the longest short string in bytes (AMQP 0-9-1, 4.2.5.3). The library ends
// the whole connection if it gets a longer one, so it must never get one.
const maxShortString = 255

func checkMessage(m amqpbus.Message) error {
	for _, field := range [...]struct{ what, text string }{
		{"exchange", m.Exchange}, {"routing key", m.Key}, {"type", m.Type}, {"message id", m.ID}, {"reply-to", m.ReplyTo},
	} {
		if len(field.text) > maxShortString {
			return fmt.Errorf("%w: the %s has %d bytes, at most %d are allowed", amqpbus.ErrMessage, field.what, len(field.text), maxShortString)
		}
	}
	for k := range m.Headers {
		if len(k) > maxShortString {
			return fmt.Errorf("%w: a header's name has %d bytes, at most %d are allowed", amqpbus.ErrMessage, len(k), maxShortString)
		}
	}
	if m.Expiration < 0 || m.Expiration%time.Millisecond != 0 {
		return fmt.Errorf("%w: the expiration is %v, but must be a whole number of milliseconds", amqpbus.ErrMessage, m.Expiration)
	}
	return nil
}
