package router

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const expiredPrefetch = 1000

// readExpired turns emits that expired in a queue into gaps for their groups
// (R10). They are acked when every gateway's queue has taken the gap.
func (r *Router) readExpired(ctx context.Context) error {
	pub, err := r.o.Bus.OpenPublisher(ctx, 64)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	topology := r.topology()
	con, err := r.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: amqpbus.QueueExpired, Declare: &topology, Prefetch: expiredPrefetch,
	})
	if err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	defer func() { _ = con.Close() }()
	r.expiry.set(true)
	defer r.expiry.set(false)
	for {
		pack, err := con.Receive(ctx, expiredPrefetch)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		for _, gap := range expiredGaps(pack, r.o.Shards) {
			if err := r.publishGap(ctx, pub, gap); err != nil {
				return err
			}
		}
		r.metrics.expired.Add(float64(len(pack)))
		if err := con.AckThrough(pack[len(pack)-1]); err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
}

// publishGap repeats a gap until no gateway's queue refuses it. Those that took
// it the first time know it by its id.
func (r *Router) publishGap(ctx context.Context, pub amqpbus.Publisher, gap protocol.Gap) error {
	m := amqpbus.Message{
		Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypeGap, ID: rand.Text(),
		ReplyTo: string(r.o.Worker), Body: protocol.Encode(gap),
	}
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		err := publishWait(ctx, pub, m)
		if !errors.Is(err, amqpbus.ErrRefused) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// publishWait publishes and waits for the broker's answer.
func publishWait(ctx context.Context, pub amqpbus.Publisher, m amqpbus.Message) error {
	done := make(chan error, 1)
	if err := pub.Publish(ctx, m, func(err error) { done <- err }); err != nil {
		return fmt.Errorf("publish %s: %w", m.Type, err)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// expiredGaps lists the groups of expired emits, by shard and then in the order
// met. What is not an emit, or has no group in bounds, is nobody's loss. An emit
// whose group its history does not tell for sure is a gap of every group that it
// may have been of.
func expiredGaps(pack []amqpbus.Delivery, shards int) []protocol.Gap {
	byShard := make([][]protocol.Group, shards)
	whole := make([]bool, shards)
	seen := make(map[protocol.Group]bool)
	for i := range pack {
		d := &pack[i]
		if d.Dead == nil || d.Dead.Times != 1 {
			for shard := range shards {
				whole[shard] = whole[shard] || mayBeOf(d.Dead, shards, shard)
			}
			continue
		}
		name := d.Dead.Key
		switch d.Dead.Exchange {
		case amqpbus.InterestExchange(shards):
			continue
		case amqpbus.EmitShards(shards):
			name = d.Headers[amqpbus.HeaderGroup]
		}
		group, err := protocol.ParseGroup(name)
		if err != nil || seen[group] {
			continue
		}
		seen[group] = true
		shard := protocol.ShardOf(group, shards)
		byShard[shard] = append(byShard[shard], group)
	}
	var gaps []protocol.Gap
	for shard, groups := range byShard {
		switch {
		case whole[shard]:
			gaps = append(gaps, protocol.Gap{Shard: shard})
		case len(groups) > 0:
			gaps = append(gaps, protocol.Gap{Shard: shard, Groups: groups})
		}
	}
	return gaps
}

// mayBeOf reports whether an emit that died so may have been of a shard. Its
// queue is known wherever the history can be read: the broker compares it.
func mayBeOf(dead *amqpbus.Death, shards, shard int) bool {
	for other := range shards {
		if dead != nil && dead.Queue == amqpbus.ShardQueue(shards, other) {
			return other == shard
		}
	}
	return true
}
