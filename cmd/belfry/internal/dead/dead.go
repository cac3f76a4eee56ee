// Package dead shows what workers parked in belfry.dead: messages that could not
// be understood, each with its reason. It can take away what it has shown, and
// nothing else.
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

// most bounds how many messages are shown: more are there after a --purge of
// these.
const most = 1000

// quiet bounds the wait for a message that the queue is said to hold: another
// reader may have it.
const quiet = 5 * time.Second

// Options say where to look.
type Options struct {
	Broker rabbit.Options
	Purge  bool // take away what was shown
	Out    io.Writer
	Say    func(format string, args ...any)
}

// shown is a line of the output.
type shown struct {
	Reason string `json:"reason"`
	Origin string `json:"origin,omitempty"` // exchange/key that it was published to
	Type   string `json:"type,omitempty"`
	ID     string `json:"message_id,omitempty"`
	Parker string `json:"parked_by,omitempty"` // broker user
	Body   string `json:"body,omitempty"`
	Base64 []byte `json:"body_base64,omitempty"` // where it is no text
}

// Run prints a line of JSON for each message.
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
	defer func() { _ = consumer.Close() }() // what is not acked goes back, in order
	last, n, err := show(ctx, o, consumer, min(waiting, most))
	if err != nil {
		return err
	}
	if !o.Purge || n == 0 {
		o.Say("shown: %d of %d; --purge takes away what it shows", n, waiting)
		return nil
	}
	if err := consumer.AckThrough(last); err != nil {
		return fmt.Errorf("take away what was shown: %w", err)
	}
	o.Say("shown and taken away: %d of %d", n, waiting)
	return nil
}

// count looks first: a bus would wait for a broker that is away.
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
			if err := encoder.Encode(line(d)); err != nil {
				return last, n, fmt.Errorf("write the result: %w", err)
			}
			last = d
			n++
		}
	}
	return last, n, nil
}

func line(d amqpbus.Delivery) shown {
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
		return fmt.Errorf("%w; none of the roles' users may read %s: give BELFRY_AMQP_URL an operator's user", err, amqpbus.QueueDead)
	case errors.Is(err, amqpbus.ErrNoQueue):
		return fmt.Errorf("%w; the first worker declares it", err)
	}
	return err
}
