package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// homeNodeBound is how long Declare waits for a queue whose process does not answer.
// RabbitMQ also says so for a moment while two declare the same queue, or while it starts.
const homeNodeBound = 5 * time.Second

func (b *bus) Declare(ctx context.Context, t amqpbus.Topology) error {
	return b.noted(amqpbus.Retry(ctx, homeNodeBound, amqpbus.ErrHomeNode, func() error { return b.declareOnce(ctx, t) }))
}

// declareOnce works on a scratch channel, because a refusal closes the channel.
func (b *bus) declareOnce(ctx context.Context, t amqpbus.Topology) error {
	t, err := b.declareLogs(ctx, t)
	if err != nil {
		return err
	}
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return err
	}
	defer closeChannel(ch)
	_, err = await(ctx, func() (struct{}, error) { return struct{}{}, declareOn(ctx, ch, t) }, nil)
	return err
}

// declareOn declares t on a channel. It stops when ctx has ended, because await has given up.
func declareOn(ctx context.Context, ch *amqp.Channel, t amqpbus.Topology) error {
	for _, q := range t.Queues {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		_, err := ch.QueueDeclare(q.Name, true, false, false, false, arguments(q))
		if err != nil {
			why := reason(err)
			if q.Name == amqpbus.QueueLayout && errors.Is(why, amqpbus.ErrArguments) {
				return fmt.Errorf("%w (%w)", amqpbus.ErrLayout, err)
			}
			return fmt.Errorf("declare queue %s: %w", q.Name, why)
		}
	}
	for _, e := range t.Exchanges {
		if err := ch.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, nil); err != nil {
			return fmt.Errorf("declare exchange %s: %w", e.Name, reason(err))
		}
	}
	for _, x := range t.Bindings {
		if err := ch.QueueBind(x.Queue, x.Key, x.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %s to %s: %w", x.Queue, x.Exchange, reason(err))
		}
	}
	return nil
}

func arguments(q amqpbus.Queue) amqp.Table {
	t := amqp.Table{"x-queue-type": "classic"}
	if q.Quorum {
		t["x-queue-type"] = "quorum"
	}
	if q.SingleActiveConsumer {
		t["x-single-active-consumer"] = true
	}
	if q.Deliveries > 0 {
		t["x-delivery-limit"] = int64(q.Deliveries)
	}
	if q.MaxLength > 0 {
		t["x-max-length"] = int64(q.MaxLength)
	}
	if q.MaxBytes > 0 {
		t["x-max-length-bytes"] = q.MaxBytes
	}
	if q.MaxLength > 0 || q.MaxBytes > 0 {
		t["x-overflow"] = "reject-publish"
		if q.DropHead {
			t["x-overflow"] = "drop-head"
		}
	}
	if q.Expires > 0 {
		t["x-expires"] = q.Expires.Milliseconds()
	}
	if q.DeadLetterTo != "" {
		t["x-dead-letter-exchange"] = ""
		t["x-dead-letter-routing-key"] = q.DeadLetterTo
		if q.DeadLetterTo == amqpbus.QueueNowhere && q.Quorum {
			// With a policy of at-least-once, the queue would keep messages until their
			// target confirms them, which never happens.
			t["x-dead-letter-strategy"] = "at-most-once"
		}
	}
	return t
}

func (b *bus) Delete(ctx context.Context, queue string) error {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return err
	}
	defer closeChannel(ch)
	_, err = await(ctx, func() (int, error) { return ch.QueueDelete(queue, false, false, false) }, nil)
	if err != nil && code(err) != amqp.NotFound {
		return b.noted(fmt.Errorf("delete queue %s: %w", queue, reason(err)))
	}
	return nil
}
