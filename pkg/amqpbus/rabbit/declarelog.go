package rabbit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// logMaxAge is amqpbus.LogMaxAge as a broker reads it; it compares the text.
const logMaxAge = "10m"

// declareLogs declares the streams of t, each on a channel of its own, and returns
// what else there is to declare.
func (b *bus) declareLogs(ctx context.Context, t amqpbus.Topology) (amqpbus.Topology, error) {
	var queues []amqpbus.Queue
	for _, q := range t.Queues {
		if !q.Stream {
			queues = append(queues, q)
			continue
		}
		if err := q.CheckStream(); err != nil {
			return t, err
		}
		if err := b.declareLog(ctx, q.Name); err != nil {
			return t, err
		}
	}
	t.Queues = queues
	return t, nil
}

// declareLog goes on with a log that was declared with other bounds, by another
// version or an operator: what it holds is worth more than they are.
func (b *bus) declareLog(ctx context.Context, name string) error {
	why := b.declareOne(ctx, func(ch *amqp.Channel) (amqp.Queue, error) {
		return ch.QueueDeclare(name, true, false, false, false, amqp.Table{
			"x-queue-type": "stream", "x-max-age": logMaxAge, "x-max-length-bytes": amqpbus.LogMaxBytes,
			"x-stream-max-segment-size-bytes": amqpbus.LogMaxSegment,
		})
	})
	if why == nil {
		return nil
	}
	if !errors.Is(why, amqpbus.ErrArguments) || strings.Contains(why.Error(), "'x-queue-type'") {
		return fmt.Errorf("declare log %s: %w", name, why)
	}
	b.log.Warn("log exists with other bounds: going on with those; a policy changes them, or delete the log while nothing runs",
		zap.String("log", name), zap.Error(why))
	err := b.declareOne(ctx, func(ch *amqp.Channel) (amqp.Queue, error) {
		return ch.QueueDeclarePassive(name, true, false, false, false, nil)
	})
	if err != nil {
		return fmt.Errorf("look for log %s: %w", name, err)
	}
	return nil
}

func (b *bus) declareOne(ctx context.Context, declare func(*amqp.Channel) (amqp.Queue, error)) error {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return err
	}
	defer closeChannel(ch)
	if _, err = await(ctx, func() (amqp.Queue, error) { return declare(ch) }, nil); err != nil {
		return reason(err)
	}
	return nil
}
