package following

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
)

const (
	replyPrefetch = 300
	// deafAfter is how long a consumer may hear nothing, while workers speak every
	// 2 s, before it is opened anew. The broker may have moved it, without a word,
	// to a queue that took the place of ours and has no bindings.
	deafAfter = 30 * time.Second
)

var errDeaf = errors.New("no message from any worker for 30 s")

// readReplies works through one life of the reply queue's consumer. A delivery is acked
// when its events are in the outboxes.
func (d *Driver) readReplies(ctx context.Context) error {
	topology := amqpbus.ReplyTopology(d.o.Layout, d.o.Gateway)
	if !d.o.Undeclared {
		topology.Exchanges = amqpbus.SharedTopology(d.o.Layout).Exchanges
	}
	con, err := d.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: d.replyQueue(), Declare: &topology, Exclusive: d.o.Layout.ExclusiveReplies(), Prefetch: replyPrefetch,
	})
	if err != nil {
		return fmt.Errorf("consume the reply queue: %w", err)
	}
	defer func() { _ = con.Close() }()
	if !con.Resumed() {
		d.inbox.Put(d.machine.ReplyQueueReplaced)
	}
	d.hears.Store(true)
	defer d.hears.Store(false)
	d.heard = time.Now()
	for {
		deliveries, err := d.hear(ctx, con)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		var messages []any
		for i := range deliveries {
			if m := d.believed(&deliveries[i]); m != nil {
				messages = append(messages, m)
			}
		}
		if len(messages) > 0 && !d.take(ctx, messages) {
			return ctx.Err() // not acked: they come again
		}
		if err := con.AckThrough(deliveries[len(deliveries)-1]); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
}

// hear waits for messages, but not for ever when no worker speaks. What gateways say to
// all comes by here, too, the own voice included.
func (d *Driver) hear(ctx context.Context, con amqpbus.Consumer) ([]amqpbus.Delivery, error) {
	for {
		if d.o.Bus.Health().Blocked != "" { // nobody can speak
			d.heard = time.Now()
		}
		bounded, cancel := context.WithDeadline(ctx, d.heard.Add(deafAfter))
		deliveries, err := con.Receive(bounded, replyPrefetch)
		deaf := err != nil && bounded.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case !deaf:
			return deliveries, err
		case d.o.Bus.Health().Blocked == "":
			return nil, errDeaf
		}
	}
}

// believed is a worker's message about the logs; nil: it is none, or not believed.
func (d *Driver) believed(m *amqpbus.Delivery) any {
	if d.o.Workers.Has(m.UserID) && m.ReplyTo != string(d.o.Gateway) {
		d.heard = time.Now()
	}
	message, ours, err := eventlog.Decode(d.o.Layout.Shards, m.Type, m.Body)
	if !ours {
		d.o.Other(m)
		return nil
	}
	if _, _, sent := eventlog.OfGateway(message); sent {
		return nil // for workers
	}
	if !d.o.Workers.Trusts(m) {
		return nil
	}
	if err != nil {
		d.logger.Error("ignored a reply that cannot be decoded: compare the versions of gateways and workers", zap.String("type", m.Type), zap.Error(err))
		return nil
	}
	return message
}

func (d *Driver) replyQueue() string { return amqpbus.ReplyQueue(string(d.o.Gateway)) }
