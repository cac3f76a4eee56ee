package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// tellPresence says every two seconds that this worker is alive and which
// shards it is active on, and gives shards away that are more than its share.
func (r *Router) tellPresence(ctx context.Context) error {
	pub, err := r.o.Bus.OpenPublisher(ctx, 16)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	ticker := time.NewTicker(presenceEvery)
	defer ticker.Stop()
	started := time.Now()
	for {
		if err := r.sayPresence(ctx, pub); err != nil {
			return err
		}
		select {
		case now := <-ticker.C:
			r.rebalance(now, started)
		case <-pub.Done():
			return amqpbus.ErrLinkLost
		case <-ctx.Done():
			return r.sayBye(pub)
		}
	}
}

func (r *Router) sayPresence(ctx context.Context, pub amqpbus.Publisher) error {
	m := protocol.Presence{
		Worker: r.o.Worker, Shards: []protocol.Reign{},
		Gateways: r.o.Users.Gateways.Names(), Strangers: r.o.Users.Gateways.Strangers(),
	}
	for _, s := range r.shards {
		if state := s.state.Load(); state.Active {
			m.Shards = append(m.Shards, state.Reign)
		}
	}
	if err := pub.Publish(ctx, r.presence(m), nil); err != nil && ctx.Err() == nil {
		return fmt.Errorf("publish the presence: %w", err)
	}
	return nil
}

// sayBye tells the others at once that this worker goes; when the broker does
// not take it in time, they notice by themselves.
func (r *Router) sayBye(pub amqpbus.Publisher) error {
	ctx, cancel := context.WithTimeout(r.hard, time.Second)
	defer cancel()
	done := make(chan error, 1)
	bye := r.presence(protocol.Presence{Worker: r.o.Worker, Shards: []protocol.Reign{}, Bye: true})
	if err := pub.Publish(ctx, bye, func(err error) { done <- err }); err != nil {
		return errors.Join(err, context.Canceled)
	}
	select {
	case _ = <-done: // a bye that fails is found out by silence
	case <-ctx.Done():
	}
	return nil
}

func (r *Router) presence(m protocol.Presence) amqpbus.Message {
	return amqpbus.Message{
		Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypePresence,
		ReplyTo: string(r.o.Worker), Body: protocol.Encode(m),
	}
}

func (r *Router) rebalance(now, started time.Time) {
	if r.o.Shards < 2 || now.Sub(started) < settleIn {
		return
	}
	states := make([]State, len(r.shards))
	for i, s := range r.shards {
		states[i] = *s.state.Load()
	}
	i := surplus(states, r.colony.workers(now))
	if i < 0 {
		return
	}
	r.log.Info("handing a shard over to another worker", zap.Int("shard", i))
	select {
	case r.shards[i].give <- struct{}{}:
	default:
	}
}
