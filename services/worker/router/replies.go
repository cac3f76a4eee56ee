package router

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const replyPrefetch = 300

// readReplies consumes the worker's own reply queue and hands what is for a
// shard to it. Everything is acked: the rules ask again for what is missing.
func (r *Router) readReplies(ctx context.Context) error {
	topology := amqpbus.ReplyTopology(r.layout(), r.o.Worker)
	topology.Exchanges = r.topology().Exchanges
	con, err := r.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: amqpbus.ReplyQueue(string(r.o.Worker)), Declare: &topology,
		Exclusive: r.layout().ExclusiveReplies(), Prefetch: replyPrefetch,
	})
	if err != nil {
		return fmt.Errorf("open the reply queue: %w", err)
	}
	defer func() { _ = con.Close() }()
	r.mail.set(true)
	defer r.mail.set(false)
	for {
		pack, err := con.Receive(ctx, replyPrefetch)
		if err != nil {
			return fmt.Errorf("read the reply queue: %w", err)
		}
		for i := range pack {
			r.reply(&pack[i])
		}
		if err := con.AckThrough(pack[len(pack)-1]); err != nil {
			return fmt.Errorf("ack replies: %w", err)
		}
	}
}

// reply routes one message. Batches and gaps to all come by here too, because
// the fanout reaches every reply queue; they are nothing to a worker.
func (r *Router) reply(d *amqpbus.Delivery) {
	var err error
	switch d.Type {
	case protocol.TypeSnapshot:
		err = r.gatewaySaid(d, func() error { return r.readSnapshot(d.Body) })
	case protocol.TypeStale:
		err = r.gatewaySaid(d, func() error { return r.readStale(d.Body) })
	case protocol.TypePresence:
		err = r.workerSaid(d, func() error { return r.readPresence(d.Body) })
	case protocol.TypeDisconnect:
		err = r.workerSaid(d, func() error { return r.readDisconnect(d.Body) })
	}
	if err != nil {
		r.metrics.refusedReplies.Inc()
		r.log.Warn("ignored a message on the reply queue: it cannot be decoded, or its broker user may not send it", zap.String("type", d.Type), zap.Error(err))
	}
}

var errUser = fmt.Errorf("its broker user may not send it: see BELFRY_GATEWAY_USERS and BELFRY_WORKER_USERS")

func (r *Router) gatewaySaid(d *amqpbus.Delivery, read func() error) error {
	if !r.o.Users.Gateways.Trusts(d) {
		return errUser
	}
	return read()
}

func (r *Router) workerSaid(d *amqpbus.Delivery, read func() error) error {
	if !r.o.Users.Workers.Trusts(d) {
		return errUser
	}
	return read()
}

func (r *Router) readSnapshot(body []byte) error {
	m, err := protocol.Decode[protocol.Snapshot](body)
	if err == nil && r.has(m.Reign.Shard) {
		r.shards[m.Reign.Shard].post(word{snapshot: &m})
	}
	return err
}

func (r *Router) readStale(body []byte) error {
	m, err := protocol.Decode[protocol.Stale](body)
	if err == nil && r.has(m.Highest.Shard) {
		r.shards[m.Highest.Shard].post(word{stale: &m})
	}
	return err
}

func (r *Router) readPresence(body []byte) error {
	m, err := protocol.Decode[protocol.Presence](body)
	if err != nil || m.Worker == r.o.Worker {
		return err
	}
	r.colony.heard(m)
	for _, reign := range m.Shards {
		if r.has(reign.Shard) && reign.Epoch > 0 {
			r.shards[reign.Shard].post(word{epoch: reign.Epoch})
		}
	}
	return nil
}

func (r *Router) readDisconnect(body []byte) error {
	order, err := protocol.DecodeDisconnect(body)
	if err == nil && r.o.Disconnected != nil {
		r.o.Disconnected(order)
	}
	return err
}

func (r *Router) has(shard int) bool { return shard >= 0 && shard < len(r.shards) }
