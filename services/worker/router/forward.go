package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// forward moves what others published to belfry.emit to the shards, in order:
// each emit is acked once the shard's queue has confirmed it. An emit that a
// full shard refuses cannot be sent again without changing the order, and its
// publisher already has its confirm: its group is told of a gap, and
// forwarding pauses, so that the rest waits in its own bounded queue.
func (r *Router) forward(ctx context.Context) error {
	pub, err := r.o.Bus.OpenPublisher(ctx, window)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	topology := r.topology()
	con, err := r.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: amqpbus.QueueEmitIn, Declare: &topology, Prefetch: prefetch,
	})
	if err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	defer func() { _ = con.Close() }()
	for {
		pack, err := con.Receive(ctx, prefetch)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		refused, err := r.forwardPack(ctx, pub, pack)
		if err != nil {
			return err
		}
		if err := r.tellRefused(ctx, pub, refused); err != nil {
			return err
		}
		if err := con.AckThrough(pack[len(pack)-1]); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
}

// forwardPack publishes a pack in order and waits for all confirms. It returns
// the emits that were refused.
func (r *Router) forwardPack(ctx context.Context, pub amqpbus.Publisher, pack []amqpbus.Delivery) ([]amqpbus.Delivery, error) {
	verdicts, reasons := make([]error, len(pack)), make([]Reason, len(pack))
	var waiting sync.WaitGroup
	for i := range pack {
		waiting.Add(1)
		done := func(err error) {
			verdicts[i] = err
			waiting.Done()
		}
		m, reason := forwarded(&pack[i], r.o.Users, r.o.Shards)
		reasons[i] = reason
		if err := pub.Publish(ctx, m, done); err != nil {
			waiting.Done()
			return nil, fmt.Errorf("publish: %w", err)
		}
	}
	waiting.Wait() // ends with the publisher at the latest
	var refused []amqpbus.Delivery
	for i, err := range verdicts {
		switch {
		case err == nil && reasons[i] != "":
			r.metrics.dead.WithLabelValues(string(reasons[i])).Inc()
		case err == nil:
			r.metrics.forwarded.WithLabelValues("ok").Inc()
		case errors.Is(err, amqpbus.ErrLinkLost):
			return nil, fmt.Errorf("confirm: %w", err)
		default:
			r.metrics.forwarded.WithLabelValues("refused").Inc()
			refused = append(refused, pack[i])
		}
	}
	return refused, nil
}

func (r *Router) tellRefused(ctx context.Context, pub amqpbus.Publisher, refused []amqpbus.Delivery) error {
	if len(refused) == 0 {
		return nil
	}
	for _, gap := range expiredGaps(refused, r.o.Shards) {
		if err := r.publishGap(ctx, pub, gap); err != nil {
			return err
		}
	}
	t := time.NewTimer(500 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// forwarded is the emit as the shard's queue gets it, or, with a reason, as the dead
// queue does: its group is out of bounds, or it is no emit.
func forwarded(d *amqpbus.Delivery, users Users, shards int) (amqpbus.Message, Reason) {
	group, reason := forwardable(d, users)
	if reason != "" {
		return parked(d, reason), reason
	}
	m := d.Message
	m.Exchange, m.Key = amqpbus.EmitShards(shards), amqpbus.ShardKey(protocol.ShardOf(group, shards))
	m.Mandatory, m.ReplyTo = true, ""
	m.Headers = maps.Clone(d.Headers)
	if m.Headers == nil {
		m.Headers = make(map[string]string, 1)
	}
	m.Headers[amqpbus.HeaderGroup] = d.Key
	if m.ID == "" {
		m.ID = rand.Text()
	}
	return m, ""
}

func forwardable(d *amqpbus.Delivery, users Users) (protocol.Group, Reason) {
	if !users.mayEmit(d, amqpbus.ExchangeEmit) {
		return "", ReasonForgedEmit
	}
	if d.Copies {
		return "", ReasonCopies
	}
	group, err := protocol.ParseGroup(d.Key)
	if err != nil {
		return "", ReasonGroup
	}
	return group, ""
}
