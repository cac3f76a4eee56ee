package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// turn is one life of a shard's consumer and publisher. Two goroutines: the
// shard's own works, the other receives, so that what arrives while the first
// is busy comes as one pack.
type turn struct {
	*shard
	number int
	pub    amqpbus.Publisher
	con    amqpbus.Consumer

	packs   chan []amqpbus.Delivery
	ended   chan error // capacity 1: why receiving ended
	deaf    context.CancelFunc
	hearing sync.WaitGroup
	newest  amqpbus.Delivery // stands for its tag in acks
}

func newTurn(s *shard, number int, pub amqpbus.Publisher, con amqpbus.Consumer) *turn {
	t := &turn{
		shard: s, number: number, pub: pub, con: con,
		packs: make(chan []amqpbus.Delivery), ended: make(chan error, 1),
	}
	var ctx context.Context
	ctx, t.deaf = context.WithCancel(context.Background())
	t.hearing.Add(1)
	go t.receive(ctx)
	return t
}

func (t *turn) receive(ctx context.Context) {
	defer t.hearing.Done()
	for {
		pack, err := t.con.Receive(ctx, prefetch)
		if err != nil {
			t.ended <- err
			return
		}
		select {
		case t.packs <- pack:
		case <-ctx.Done():
			return // not acked: it goes back with the channel
		}
	}
}

// loop feeds the core until the links end or the shard is given back.
func (t *turn) loop(ctx, stopping context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	t.core.Tick(time.Now())
	for {
		blocked := t.watchBlocked()
		packs := t.packs
		if blocked {
			packs = nil
		}
		select {
		case pack := <-packs:
			t.core.Deliver(pack)
		case <-t.signal:
			t.read(t.number)
		case now := <-ticker.C:
			t.core.Tick(now)
			t.report()
		case err := <-t.ended:
			return err
		case <-t.pub.Done():
			return fmt.Errorf("the publisher was lost: %w", amqpbus.ErrLinkLost)
		case <-t.give:
			return t.handOver(ctx, ticker.C)
		case <-stopping.Done():
			return t.handOver(ctx, ticker.C)
		}
		if err := t.perform(ctx); err != nil {
			return err
		}
	}
}

// handOver finishes and acks what was delivered (R8). Closing follows.
func (t *turn) handOver(ctx context.Context, ticks <-chan time.Time) error {
	t.deaf()
	t.hearing.Wait()
	t.core.Drain()
	for {
		if err := t.perform(ctx); err != nil {
			return err
		}
		if t.core.Idle() {
			return errGiven
		}
		select {
		case <-t.signal:
			t.read(t.number)
		case now := <-ticks:
			t.watchBlocked()
			t.core.Tick(now)
		case <-t.pub.Done():
			return fmt.Errorf("the publisher was lost: %w", amqpbus.ErrLinkLost)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end closes the channel: what is not acked goes back in order.
func (t *turn) end() {
	t.deaf()
	t.hearing.Wait()
	if err := t.con.Close(); err != nil && !errors.Is(err, amqpbus.ErrLinkLost) {
		t.log.Debug("consumer did not close cleanly", zap.Error(err))
	}
}

// perform does the core's effects in order.
func (t *turn) perform(ctx context.Context) error {
	effects := t.core.Effects()
	for i := range effects {
		e := &effects[i]
		switch e.Kind {
		case EffectReopen:
			return errors.New("another worker has taken the shard over")
		case EffectAck:
			t.newest.Tag = e.Tag
			if err := t.con.AckThrough(t.newest); err != nil {
				return fmt.Errorf("ack: %w", err)
			}
		case EffectPublish:
			if err := t.publish(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *turn) publish(ctx context.Context, e *Effect) error {
	id, number := e.ID, t.number
	err := t.pub.Publish(ctx, e.Message, func(err error) { t.post(word{turn: number, id: id, err: err}) })
	switch {
	case err == nil:
		t.r.metrics.published(e)
		return nil
	case errors.Is(err, amqpbus.ErrMessage):
		t.post(word{turn: number, id: id, err: err})
		return nil
	}
	return fmt.Errorf("publish: %w", err)
}

// watchBlocked tells the core, and reports, whether the broker blocks.
func (t *turn) watchBlocked() bool {
	blocked := t.r.o.Bus.Health().Blocked != ""
	t.core.Blocked(blocked)
	return blocked
}

// report updates metrics and state.
func (t *turn) report() {
	t.r.metrics.shard(t.index, t.core.Stats())
	t.publishState()
}
