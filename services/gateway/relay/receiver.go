package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/gateway/relay/continuity"
)

const (
	replyPrefetch = 300
	tickEvery     = 100 * time.Millisecond
	// deafAfter is how long a consumer may hear nothing, while workers speak every
	// 2 s, before it is opened anew. The broker may have moved it, without a word,
	// to a queue that took the place of ours and has no bindings.
	deafAfter = 30 * time.Second
)

var errDeaf = errors.New("no message from any worker for 30 s")

// receiver consumes the reply queue.
type receiver struct {
	r       *Relay
	trust   *trust.Users
	workers *workers
	up      atomic.Bool  // there is a consumer
	lost    atomic.Int64 // shards without a route, for long enough that clients were told

	core    *continuity.Core // owned by the loop
	repeats repeats          // owned by the loop
}

func newReceiver(r *Relay) *receiver {
	v := &receiver{
		r: r, trust: trust.New("BELFRY_WORKER_USERS", r.o.WorkerUsers, r.log), workers: newWorkers(r.o.Bus.User(), r.log),
		core: continuity.New(continuity.Options{Gateway: r.o.Gateway, Shards: r.o.Shards}),
	}
	return v
}

// once works through one consumer's life, and keeps the core's time while there
// is none.
func (v *receiver) once(ctx context.Context) error {
	con, err := v.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = con.Close() }()
	v.core.Tick(time.Now())
	v.core.LinkUp(con.Resumed())
	v.up.Store(true)
	defer func() {
		v.up.Store(false)
		v.core.LinkLost()
	}()
	return v.loop(ctx, con)
}

// open waits for a consumer while time goes on for the core.
func (v *receiver) open(ctx context.Context) (amqpbus.Consumer, error) {
	type result struct {
		con amqpbus.Consumer
		err error
	}
	topology := amqpbus.ReplyTopology(v.r.layout(), v.r.o.Gateway)
	shared := v.r.topology()
	topology.Exchanges = shared.Exchanges
	opened := make(chan result, 1)
	go func() {
		con, err := v.r.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
			Queue: amqpbus.ReplyQueue(string(v.r.o.Gateway)), Declare: &topology,
			Exclusive: v.r.layout().ExclusiveReplies(), Prefetch: replyPrefetch,
		})
		opened <- result{con, err}
	}()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case o := <-opened:
			if o.err != nil {
				return nil, fmt.Errorf("consume the reply queue: %w", o.err)
			}
			return o.con, nil
		case now := <-ticker.C:
			v.tick(now)
		}
	}
}

// loop receives in a goroutine of its own, so that what arrives while the Sink
// is busy comes as one pack.
func (v *receiver) loop(ctx context.Context, con amqpbus.Consumer) error {
	packs := make(chan []amqpbus.Delivery)
	ended := make(chan error, 1)
	receiving, deaf := context.WithCancel(ctx)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer deaf()
	hearing.Go(func() {
		for {
			pack, err := con.Receive(receiving, replyPrefetch)
			if err != nil {
				ended <- err
				return
			}
			select {
			case packs <- pack:
			case <-receiving.Done():
				return // not acked: it goes back
			}
		}
	})
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	heard := time.Now()
	for {
		select {
		case pack := <-packs:
			heard = time.Now()
			for i := range pack {
				v.dispatch(&pack[i])
			}
			v.perform()
			if err := con.AckThrough(pack[len(pack)-1]); err != nil {
				return fmt.Errorf("ack: %w", err)
			}
		case now := <-ticker.C:
			v.tick(now)
			if v.r.o.Bus.Health().Blocked != "" {
				heard = now // nobody can speak
			}
			if now.Sub(heard) >= deafAfter {
				return errDeaf
			}
		case err := <-ended:
			return fmt.Errorf("receive: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (v *receiver) tick(now time.Time) {
	v.core.Blocked(v.r.o.Bus.Health().Blocked != "")
	v.core.Tick(now)
	v.perform()
	v.lost.Store(int64(v.core.LostRoutes()))
	v.r.metrics.continuity(v.core)
}

// perform does the core's effects in order.
func (v *receiver) perform() {
	for _, e := range v.core.Effects() {
		switch e.Kind {
		case continuity.EffectDeliver:
			v.r.o.Sink.Deliver(e.Events)
		case continuity.EffectGap:
			v.r.o.Sink.Gap(e.Groups)
		case continuity.EffectGapShard:
			v.r.o.Sink.GapShard(e.Shard, v.r.o.Shards)
		case continuity.EffectCloseAll:
			v.r.log.Warn("no worker has served a shard for 30 s: closing all connections with 1013")
			v.r.o.Sink.CloseAll(protocol.CloseTryLater, v.r.o.CloseSpread)
		case continuity.EffectStale:
			v.r.announce.stale(e.Stale)
		case continuity.EffectSnapshot:
			v.r.announce.snapshot(e.Reign)
		}
	}
}
