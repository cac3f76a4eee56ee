// Package dead shows the messages that workers have parked in belfry.dead because they
// could not be handled, each with its reason. It can remove those that it has shown, and
// no others.
package dead

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
)

// most is the largest number of messages that are shown. To see others, remove these.
const most = 1000

// quiet is how long to wait for a message that is in the queue, which another consumer may
// have received.
const quiet = 5 * time.Second

// Options configures Run.
type Options struct {
	Broker rabbit.Options
	Purge  bool // remove the messages that were shown
	Out    io.Writer
	Say    func(format string, args ...any)
}

// shown is a line of the output.
type shown struct {
	Reason string `json:"reason"`
	Origin string `json:"origin,omitempty"` // exchange/key to which it was published
	Type   string `json:"type,omitempty"`
	ID     string `json:"message_id,omitempty"`
	Parker string `json:"parked_by,omitempty"` // the broker user of the worker
	Body   string `json:"body,omitempty"`
	Base64 []byte `json:"body_base64,omitempty"` // the body if it is not UTF-8
}

// Run writes each message as a line of JSON.
func Run(ctx context.Context, o Options) error {
	waiting, err := count(ctx, o.Broker)
	if err != nil {
		return explain(err)
	}
	if waiting == 0 {
		o.Say("%s is empty", amqpbus.QueueDead)
		return nil
	}
	bus, err := rabbit.Open(o.Broker)
	if err != nil {
		return err
	}
	defer func() { _ = bus.Close(context.WithoutCancel(ctx)) }()
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: amqpbus.QueueDead, Prefetch: most})
	if err != nil {
		return explain(err)
	}
	defer func() { _ = consumer.Close() }() // unacked messages return to the queue, in order
	last, n, err := show(ctx, o, consumer, min(waiting, most))
	if err != nil {
		return err
	}
	if !o.Purge || n == 0 {
		o.Say("%d of %d messages shown; --purge removes those that it shows", n, waiting)
		return nil
	}
	if err := consumer.AckThrough(last); err != nil {
		return fmt.Errorf("remove the messages that were shown: %w", err)
	}
	o.Say("%d of %d messages shown and removed", n, waiting)
	return nil
}

// count returns the number of messages. It uses a probe, because a bus would wait for a
// broker that is not there.
func count(ctx context.Context, o rabbit.Options) (int, error) {
	probe, err := rabbit.OpenProbe(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = probe.Close() }()
	q, err := probe.Queue(ctx, amqpbus.QueueDead)
	return q.Messages, err
}

func show(ctx context.Context, o Options, c amqpbus.Consumer, wanted int) (last amqpbus.Delivery, n int, err error) {
	encoder := json.NewEncoder(o.Out)
	encoder.SetEscapeHTML(false)
	for n < wanted {
		within, cancel := context.WithTimeout(ctx, quiet)
		pack, err := c.Receive(within, wanted-n)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return last, n, nil
		}
		if err != nil {
			return last, n, fmt.Errorf("read %s: %w", amqpbus.QueueDead, err)
		}
		for _, d := range pack {
			if err := encoder.Encode(describe(d)); err != nil {
				return last, n, fmt.Errorf("write the result: %w", err)
			}
			last = d
			n++
		}
	}
	return last, n, nil
}

func describe(d amqpbus.Delivery) shown {
	s := shown{Reason: d.Headers["reason"], Origin: d.Headers["origin"], Type: d.Type, ID: d.ID, Parker: d.UserID}
	if utf8.Valid(d.Body) {
		s.Body = string(d.Body)
	} else {
		s.Base64 = d.Body
	}
	return s
}

func explain(err error) error {
	switch {
	case errors.Is(err, amqpbus.ErrPermission):
		return fmt.Errorf("%w; no role may read %s: use an operator's user in BELFRY_AMQP_URL", err, amqpbus.QueueDead)
	case errors.Is(err, amqpbus.ErrNoQueue):
		return fmt.Errorf("%w; the first worker declares it", err)
	}
	return err
}
