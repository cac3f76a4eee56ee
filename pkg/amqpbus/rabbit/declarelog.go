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
	why := b.declareStream(ctx, name, amqp.Table{
		"x-max-age": logMaxAge, "x-max-length-bytes": amqpbus.LogMaxBytes, "x-stream-max-segment-size-bytes": amqpbus.LogMaxSegment,
	})
	if !errors.Is(why, amqpbus.ErrArguments) {
		return why
	}
	if kind := b.declareStream(ctx, name, amqp.Table{}); kind != nil && !otherBounds(kind) {
		return kind
	}
	b.log.Warn("log exists with other bounds: going on with those; a policy changes them, or delete the log while nothing runs",
		zap.String("log", name), zap.Error(why))
	return nil
}

// otherBounds reports that an error is about an argument that only a stream has; a
// broker names the first that differs.
func otherBounds(err error) bool {
	if errors.Is(err, amqpbus.ErrArguments) {
		for _, argument := range []string{"x-max-age", "x-max-length-bytes", "x-stream-max-segment-size-bytes", "x-initial-cluster-size", "x-queue-leader-locator"} {
			if strings.Contains(err.Error(), "'"+argument+"'") {
				return true
			}
		}
	}
	return false
}

// declareStream works on a channel of its own, because a refusal closes it.
func (b *bus) declareStream(ctx context.Context, name string, arguments amqp.Table) error {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return err
	}
	defer closeChannel(ch)
	arguments["x-queue-type"] = "stream"
	_, err = await(ctx, func() (amqp.Queue, error) { return ch.QueueDeclare(name, true, false, false, false, arguments) }, nil)
	if err != nil {
		return fmt.Errorf("declare log %s: %w", name, reason(err))
	}
	return nil
}
