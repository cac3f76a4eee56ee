package rabbit

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// refusalStands is how long a refusal is part of Health. What was refused is tried again within
// 8 s, so a refusal that persists is renewed.
const refusalStands = 15 * time.Second

// noted records err for Health if it is a refusal about which an operator must do something, and
// returns it.
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

// ended returns why a channel that was in use has ended: ErrLinkLost, with the broker's reason if
// it closed only this channel. e is nil if this process closed it.
func (b *bus) ended(use string, e *amqp.Error) error {
	if e == nil || !isSoft(e) {
		return amqpbus.ErrLinkLost // the link logs the reason
	}
	b.log.Warn("the broker closed a channel", zap.String("use", use), zap.Error(reason(e)))
	return b.noted(becauseOf(e))
}
