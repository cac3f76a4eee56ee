package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/gateway/relay/interest"
)

// controlWindow bounds the unconfirmed control messages of all shards.
const controlWindow = 256

// announcer drives one interest.Core a shard over one publisher, so that a
// gateway's changes reach each shard in order.
type announcer struct {
	r      *Relay
	signal chan struct{} // capacity 1: something changed below
	up     atomic.Bool   // a publisher is open
	link   uint64        // publishers opened; owned by the loop

	mu      sync.Mutex
	cores   []*interest.Core         // guarded by mu
	waiting map[shardTicket]*joining // guarded by mu
	extra   []amqpbus.Message        // guarded by mu; stale answers
	asked   []protocol.Reign         // guarded by mu; who wants a snapshot
	leaving bool                     // guarded by mu; Bye was called
	gone    chan struct{}            // closed when every Bye has settled
}

type shardTicket struct {
	shard  int
	ticket interest.Ticket
}

// maxExtra bounds the stale answers that wait while there is no link. They are
// repeated, so older ones may go.
const maxExtra = 1000

func newAnnouncer(r *Relay) *announcer {
	a := &announcer{
		r: r, signal: make(chan struct{}, 1), waiting: map[shardTicket]*joining{}, gone: make(chan struct{}),
	}
	for shard := range r.o.Shards {
		a.cores = append(a.cores, interest.New(interest.Options{
			Gateway: r.o.Gateway, Shards: r.o.Shards, Shard: shard, Linger: r.o.Linger,
		}))
	}
	return a
}

func (a *announcer) wake() {
	select {
	case a.signal <- struct{}{}:
	default:
	}
}

// once works through one publisher's life.
func (a *announcer) once(ctx context.Context) error {
	if err := a.r.o.Bus.Declare(ctx, a.r.topology()); err != nil {
		return fmt.Errorf("declare the topology: %w", err)
	}
	pub, err := a.r.o.Bus.OpenPublisher(ctx, controlWindow)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	a.begin()
	defer a.lost()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		effects, extra, next := a.due(time.Now())
		if err := a.publish(ctx, pub, effects, extra); err != nil {
			return err
		}
		timer.Reset(next)
		select {
		case <-a.signal:
		case <-timer.C:
		case <-pub.Done():
			return fmt.Errorf("the publisher was lost: %w", amqpbus.ErrLinkLost)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *announcer) begin() {
	a.link++
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.cores {
		c.NewLink(time.Now(), a.link)
	}
	a.up.Store(true)
}

func (a *announcer) lost() {
	a.up.Store(false)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.cores {
		c.LinkLost()
	}
}

// sending is an effect and whose it is.
type sending struct {
	shard  int
	effect interest.Effect
}

// longest is the most that the loop sleeps.
const longest = time.Second

// due collects what is to be published now and says how long nothing will.
func (a *announcer) due(now time.Time) ([]sending, []amqpbus.Message, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []sending
	next := now.Add(longest)
	for shard, c := range a.cores {
		for _, e := range c.Effects(now) {
			out = append(out, sending{shard, e})
		}
		if at := c.Next(); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	for _, reign := range a.asked {
		for _, e := range a.cores[reign.Shard].Snapshot(reign) {
			out = append(out, sending{reign.Shard, e})
		}
	}
	extra := a.extra
	a.asked, a.extra = nil, nil
	return out, extra, max(next.Sub(now), time.Millisecond)
}

func (a *announcer) publish(ctx context.Context, pub amqpbus.Publisher, effects []sending, extra []amqpbus.Message) error {
	for _, s := range effects {
		if err := pub.Publish(ctx, s.effect.Message, func(err error) { a.settled(s, err) }); err != nil {
			return fmt.Errorf("publish interest: %w", err)
		}
	}
	for _, m := range extra {
		if err := pub.Publish(ctx, m, nil); err != nil {
			return fmt.Errorf("publish a stale answer: %w", err)
		}
	}
	return nil
}

// settled is called by the publisher, in order.
func (a *announcer) settled(s sending, err error) {
	a.r.metrics.announced(s.effect.Kind, err)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ticket := range a.cores[s.shard].Settled(time.Now(), s.effect, err) {
		key := shardTicket{s.shard, ticket}
		if j := a.waiting[key]; j != nil {
			delete(a.waiting, key)
			j.arrived()
		}
	}
	if a.leaving && a.allGone() {
		a.leaving = false
		close(a.gone)
	}
	a.wake()
}

func (a *announcer) allGone() bool {
	for _, c := range a.cores {
		if !c.Gone() {
			return false
		}
	}
	return true
}

// snapshot answers a reign's question.
func (a *announcer) snapshot(reign protocol.Reign) {
	a.mu.Lock()
	a.asked = append(a.asked, reign)
	a.mu.Unlock()
	a.wake()
}

// stale tells a worker that it is fenced.
func (a *announcer) stale(s protocol.Stale) {
	m := amqpbus.Message{
		Exchange: amqpbus.ExchangeReply, Key: string(s.Refused.Worker), Type: protocol.TypeStale,
		ReplyTo: string(a.r.o.Gateway), Mandatory: true, Body: protocol.Encode(s),
	}
	a.mu.Lock()
	if len(a.extra) < maxExtra {
		a.extra = append(a.extra, m)
	}
	a.mu.Unlock()
	a.wake()
}

// bye withdraws everything and waits until the broker has agreed.
func (a *announcer) bye(ctx context.Context) error {
	if !a.up.Load() {
		return nil // the workers will notice
	}
	a.mu.Lock()
	a.leaving = true
	for _, c := range a.cores {
		c.Bye()
	}
	a.mu.Unlock()
	a.wake()
	select {
	case <-a.gone:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("interest was not withdrawn in time: workers will notice by the silence"), ctx.Err())
	}
}
