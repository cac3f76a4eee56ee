package rabbit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// Declare works on a scratch channel, because a refusal closes the channel.
func (b *bus) Declare(ctx context.Context, t amqpbus.Topology) error {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return err
	}
	defer closeChannel(ch)
	_, err = await(ctx, func() (struct{}, error) { return struct{}{}, declareOn(ctx, ch, t) }, nil)
	return err
}

// declareOn stops after ctx has ended: nobody waits for it any more.
func declareOn(ctx context.Context, ch *amqp.Channel, t amqpbus.Topology) error {
	for _, q := range t.Queues {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		_, err := ch.QueueDeclare(q.Name, true, false, false, false, arguments(q))
		switch {
		case q.Name == amqpbus.QueueLayout && code(err) == amqp.PreconditionFailed:
			return fmt.Errorf("%w (%w)", amqpbus.ErrLayout, err)
		case err != nil:
			return fmt.Errorf("declare queue %s: %w", q.Name, explainChannel(err))
		}
	}
	for _, e := range t.Exchanges {
		if err := ch.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, nil); err != nil {
			return fmt.Errorf("declare exchange %s: %w", e.Name, explainChannel(err))
		}
	}
	for _, x := range t.Bindings {
		if err := ch.QueueBind(x.Queue, x.Key, x.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %s to %s: %w", x.Queue, x.Exchange, explainChannel(err))
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
		return fmt.Errorf("delete queue %s: %w", queue, explainChannel(err))
	}
	return nil
}

// code is the AMQP reply code of an error; 0 for nil, -1 for an error without.
func code(err error) int {
	var e *amqp.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	default:
		return -1
	}
}

func isPermission(reason string) bool { return strings.Contains(reason, "access to") }

// explainChannel says what to do about the broker's refusals. The broker's own
// text names the argument that differs.
func explainChannel(err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, err)
	}
	switch e.Code {
	case amqp.PreconditionFailed:
		return fmt.Errorf("it exists with other arguments (%s): delete it while nothing runs, or use the version and settings that made it", e.Reason)
	case amqp.AccessRefused:
		return fmt.Errorf("the broker user lacks a permission (%s): see the permissions per role in the operations guide", e.Reason)
	case amqp.NotFound:
		return fmt.Errorf("%w: %s", amqpbus.ErrNoQueue, e.Reason)
	default:
		return fmt.Errorf("%w: %d %s", amqpbus.ErrLinkLost, e.Code, e.Reason)
	}
}
