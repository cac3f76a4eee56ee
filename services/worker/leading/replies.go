package leading

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
)

const replyPrefetch = 300

// readReplies consumes the worker's reply queue and hands each message to its log.
// Everything is acked: the rules ask again for what is missing.
func (l *Leading) readReplies(ctx context.Context) error {
	topology := amqpbus.ReplyTopology(l.o.Layout, l.o.Worker)
	topology.Exchanges = amqpbus.SharedTopology(l.o.Layout).Exchanges
	con, err := l.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: l.replyQueue(), Declare: &topology, Exclusive: l.o.Layout.ExclusiveReplies(), Prefetch: replyPrefetch,
	})
	if err != nil {
		return fmt.Errorf("open the reply queue: %w", err)
	}
	defer func() { _ = con.Close() }()
	l.mail.Store(true)
	defer l.mail.Store(false)
	for {
		pack, err := con.Receive(ctx, replyPrefetch)
		if err != nil {
			return fmt.Errorf("read the reply queue: %w", err)
		}
		for i := range pack {
			l.reply(&pack[i])
		}
		if err := con.AckThrough(pack[len(pack)-1]); err != nil {
			return fmt.Errorf("ack replies: %w", err)
		}
	}
}

// reply believes a gateway's message, and the claims of other workers.
func (l *Leading) reply(d *amqpbus.Delivery) {
	message, ours, err := eventlog.Decode(l.o.Layout.Shards, d.Type, d.Body)
	switch {
	case !ours:
		l.o.Other(d)
		return
	case err != nil:
		l.log.Warn("ignored a message on the reply queue: it cannot be decoded, or its broker user may not send it", zap.String("type", d.Type), zap.Error(err))
		return
	}
	users := l.o.Gateways
	number, gateway, sent := eventlog.OfGateway(message)
	switch m := message.(type) {
	case eventlog.Claim:
		users, number, sent = l.o.Workers, m.Log, true
	case eventlog.Bye:
		if d.Dead == nil && l.o.Workers.Has(d.UserID) || users.Trusts(d) {
			l.logs[0].inbox.Put(func() { l.logs[0].roster.Bye(m.Gateway) })
		}
		return
	case eventlog.Fill:
		if users.Trusts(d) {
			l.Fill(m)
		}
		return
	}
	if !sent {
		return // what a worker tells all gateways comes by here, too
	}
	if g := l.of(number); g != nil && users.Trusts(d) {
		g.take(gateway, message)
	}
}
