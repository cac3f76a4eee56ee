package rabbit

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// refusalStands is how long a refusal is part of the health after it was last
// heard: what is refused is tried again within 8 s.
const refusalStands = 15 * time.Second

// noted remembers a refusal that an operator must mend, and returns it.
func (b *bus) noted(err error) error {
	if !amqpbus.Standing(err) {
		return err
	}
	b.refused(err)
	return err
}

// refused makes what was refused a part of the health.
func (b *bus) refused(err error) {
	b.mu.Lock()
	b.refusal, b.refusedAt = err.Error(), time.Now()
	b.mu.Unlock()
	b.change()
}

// ended says why a channel ended that was in use: ErrLinkLost, with the broker's
// reason where it closed this channel alone. e is nil when we closed it.
func (b *bus) ended(use string, e *amqp.Error) error {
	if e == nil || !isSoft(e) {
		return amqpbus.ErrLinkLost // why is said where the link is
	}
	b.log.Warn("the broker closed a channel", zap.String("use", use), zap.Error(reason(e)))
	return b.noted(becauseOf(e))
}
