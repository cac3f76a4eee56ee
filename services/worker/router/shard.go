package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const (
	prefetch  = 1000 // of a shard, the same in every worker (see R8)
	window    = 1000 // unconfirmed publishes of a shard
	tickEvery = 100 * time.Millisecond
)

// errGiven ends a reign whose shard is given away or whose worker stops.
var errGiven = errors.New("the shard was handed over")

// shard drives one Core. Its goroutine owns the core; others leave words in the
// inbox.
type shard struct {
	r     *Router
	index int
	core  *Core
	log   *zap.Logger
	gate  gate
	give  chan struct{} // asks to give the shard away; capacity 1

	consumed bool // owned by the goroutine; the queue had a consumer of ours
	vanished bool // owned by the goroutine; that queue went since, which nobody was told yet

	mu     sync.Mutex
	inbox  []word        // guarded by mu
	signal chan struct{} // capacity 1: the inbox is not empty
	last   []word        // owned by the goroutine

	state atomic.Pointer[State]
}

// State is what others may know of a shard.
type State struct {
	Reign    protocol.Reign
	Active   bool // a reign has begun on the open consumer
	Flooding bool
}

// word is an input for the core from another goroutine: a verdict on a publish
// of the publisher with this turn, or one of the reply queue's messages.
type word struct {
	turn     int
	id       uint64
	err      error
	snapshot *protocol.Snapshot
	stale    *protocol.Stale
	epoch    uint64
}

func newShard(r *Router, index int) *shard {
	s := &shard{
		r: r, index: index,
		log:    r.log.With(zap.Int("shard", index)),
		give:   make(chan struct{}, 1),
		signal: make(chan struct{}, 1),
		core: NewCore(CoreOptions{
			Worker: r.o.Worker, Shards: r.o.Shards, Shard: index,
			Users: r.o.Users, Timing: r.o.Timing, Trace: r.o.Trace,
			Panicked: func(cause any, stack []byte) {
				r.log.Error("bug: panic while routing a message, which is parked in belfry.dead",
					zap.Int("shard", index), zap.String("panic", fmt.Sprintf("%T", cause)), zap.ByteString("stack", stack))
			},
		}),
	}
	s.state.Store(&State{})
	return s
}

// run opens the shard again and again until the router stops.
func (s *shard) run(ctx context.Context) {
	stopping, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.r.stop:
			cancel()
		case <-stopping.Done():
		}
	}()
	turn := 0
	amqpbus.Keep(stopping, 0, func(context.Context) error {
		turn++
		return s.turn(ctx, stopping, turn)
	}, func(err error) {
		if err != nil && !errors.Is(err, errGiven) {
			s.log.Warn("consumer lost, reopening", zap.String("queue", amqpbus.ShardQueue(s.r.o.Shards, s.index)), zap.Error(err))
		}
	})
}

// turn is one life of a consumer and its publisher. ctx ends it at once,
// stopping ends it by giving the shard back in order.
func (s *shard) turn(ctx, stopping context.Context, turn int) error {
	pub, err := s.r.o.Bus.OpenPublisher(stopping, window)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	topology := s.r.topology()
	con, err := s.r.o.Bus.OpenConsumer(stopping, amqpbus.ConsumerOptions{
		Queue: amqpbus.ShardQueue(s.r.o.Shards, s.index), Declare: &topology, Prefetch: prefetch,
	})
	if err != nil {
		return fmt.Errorf("open the consumer: %w", err)
	}
	s.vanished = s.vanished || s.consumed && !con.Resumed()
	s.consumed = true
	if err := s.tellVanished(stopping, pub); err != nil {
		return errors.Join(err, con.Close())
	}
	s.gate.set(true)
	t := newTurn(s, turn, pub, con)
	err = t.loop(ctx, stopping)
	s.gate.set(false)
	t.end()
	s.vanished = errors.Is(err, amqpbus.ErrCancelled)
	s.core.LinkLost()
	s.publishState()
	return err
}

// tellVanished puts a lost message for all gateways into the queue when this one
// took the place of another, with which its messages went. No reign has epoch 0,
// so whichever worker is active passes it on as a gap.
func (s *shard) tellVanished(ctx context.Context, pub amqpbus.Publisher) error {
	if !s.vanished {
		return nil
	}
	m := s.core.toShard(protocol.TypeLost, protocol.Encode(protocol.Lost{Worker: s.r.o.Worker}))
	if err := publishWait(ctx, pub, m); err != nil {
		return fmt.Errorf("report that the shard queue was deleted: %w", err)
	}
	s.vanished = false
	return nil
}

// post leaves a word for the core.
func (s *shard) post(w word) {
	s.mu.Lock()
	s.inbox = append(s.inbox, w)
	s.mu.Unlock()
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// read gives the words of the inbox to the core.
func (s *shard) read(turn int) {
	s.mu.Lock()
	words := s.inbox
	s.inbox = s.last[:0]
	s.mu.Unlock()
	for i := range words {
		switch w := &words[i]; {
		case w.snapshot != nil:
			s.core.Snapshot(*w.snapshot)
		case w.stale != nil:
			s.core.Stale(*w.stale)
		case w.epoch != 0:
			s.core.Seen(w.epoch)
		case w.turn == turn:
			s.core.Settled(w.id, w.err)
		}
	}
	clear(words)
	s.last = words
}

func (s *shard) publishState() {
	reign, active := s.core.Reign()
	s.state.Store(&State{Reign: reign, Active: active, Flooding: s.core.Flooding()})
}
