// Package packer sends several small messages as one. A message is published at once
// when nothing is waiting. What arrives while the broker has yet to confirm earlier
// messages to the same destination is published together, as one pack
// (protocol.TypePack). So a quiet system waits for nothing, and a storm of
// reconnecting clients costs the broker a fraction.
//
// A lane holds what goes to one exchange and key. A publisher reports confirms in
// order, so one destination whose confirms do not come delays the confirms of all
// others; a lane therefore publishes again after roomAfter. A lane has a goroutine
// only while it sends.
package packer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const (
	// window bounds a lane's publishes that wait for their confirm, each for
	// roomAfter at most: enough to keep the broker busy, few enough that what comes
	// meanwhile is worth packing.
	window = 4
	// maxBytes bounds the bodies of a pack, unless it is one message alone.
	maxBytes = 256 << 10
	// patience bounds one wait for the publisher.
	patience = 5 * time.Second
	// roomAfter bounds how long a publish without a verdict holds its place in the
	// window: confirms are told in order, so one destination that gives none keeps
	// those of all others, and an alarm keeps them for as long as it lasts.
	roomAfter = 500 * time.Millisecond
)

// Publish sends one message and tells done of its outcome, as
// amqpbus.Publisher.Publish does.
type Publish func(ctx context.Context, m amqpbus.Message, done func(error)) error

// Packer packs what waits. Its methods may be called concurrently.
type Packer struct {
	publish Publish
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool                  // guarded by mu
	lanes  map[destination]*lane // guarded by mu; those in which something waits or is unconfirmed
}

type destination struct{ exchange, key string }

type lane struct {
	to          destination
	waiting     []waiting
	unconfirmed int  // publishes that hold a place in the window
	running     bool // it has its goroutine
}

type waiting struct {
	ctx     context.Context
	message amqpbus.Message
	done    func(error)
}

// New starts nothing.
func New(publish Publish) *Packer {
	ctx, cancel := context.WithCancel(context.Background())
	return &Packer{publish: publish, ctx: ctx, cancel: cancel, lanes: map[destination]*lane{}}
}

// Send queues m, whose body must not be changed any more, and does not block.
// done is called exactly once, and must not block: with nil when the broker has
// confirmed, or with an error of publish, that of ctx when it ended before m was
// sent, or amqpbus.ErrClosed. Messages of one destination share all but type,
// body and expiration; a pack lives as long as the longest of them.
func (p *Packer) Send(ctx context.Context, m amqpbus.Message, done func(error)) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		done(amqpbus.ErrClosed)
		return
	}
	defer p.mu.Unlock()
	to := destination{m.Exchange, m.Key}
	l := p.lanes[to]
	if l == nil {
		l = &lane{to: to}
		p.lanes[to] = l
	}
	l.waiting = append(l.waiting, waiting{ctx, m, done})
	p.startLocked(l)
}

// Close gives up what waits, and returns when no goroutine is left. What was
// published gets its outcome from the publisher.
func (p *Packer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.running.Wait()
	p.mu.Lock()
	var left []waiting
	for _, l := range p.lanes {
		left = append(left, l.waiting...)
		l.waiting = nil
	}
	p.mu.Unlock()
	settle(left, amqpbus.ErrClosed)
}

// startLocked gives a lane its goroutine when there is something to publish and
// room for it, and forgets a lane in which nothing is left.
func (p *Packer) startLocked(l *lane) {
	switch {
	case len(l.waiting) == 0 && l.unconfirmed == 0 && !l.running:
		delete(p.lanes, l.to)
	case len(l.waiting) > 0 && l.unconfirmed < window && !l.running && !p.closed:
		l.running = true
		p.running.Go(func() { p.run(l) })
	}
}

func (p *Packer) run(l *lane) {
	for {
		pack, late := p.next(l)
		for i := range late {
			late[i].done(fmt.Errorf("publish: %w", late[i].ctx.Err()))
		}
		if len(pack) == 0 {
			return
		}
		room := p.place(l)
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		err := p.publish(ctx, join(pack), func(err error) { settle(pack, err); room() })
		cancel()
		if err != nil {
			settle(pack, err)
			room()
		}
	}
}

// next removes from a lane what goes into the next pack, and what nobody waits
// for any more. When there is nothing to publish, or no room, the lane has no
// goroutine from then on.
func (p *Packer) next(l *lane) (pack, late []waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 0
	for len(l.waiting) > 0 && l.unconfirmed < window && !p.closed && len(pack) < protocol.MaxPacked {
		next := l.waiting[0]
		if next.ctx.Err() != nil {
			late = append(late, next)
		} else if size += len(next.message.Body); size > maxBytes && len(pack) > 0 {
			break
		} else {
			pack = append(pack, next)
		}
		l.waiting[0] = waiting{}
		l.waiting = l.waiting[1:]
	}
	if len(l.waiting) == 0 {
		l.waiting = nil
	}
	if len(pack) > 0 {
		l.unconfirmed++
		return pack, late
	}
	l.running = false
	p.startLocked(l)
	return nil, late
}

// place gives back the place that next took, once: when it is called, or after
// roomAfter.
func (p *Packer) place(l *lane) (room func()) {
	var once sync.Once
	back := func() {
		once.Do(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			l.unconfirmed--
			p.startLocked(l)
		})
	}
	t := time.AfterFunc(roomAfter, back)
	return func() { t.Stop(); back() }
}

func settle(pack []waiting, err error) {
	for i := range pack {
		pack[i].done(err)
	}
}

// join makes one message of a pack; one alone stays as it is.
func join(pack []waiting) amqpbus.Message {
	out := pack[0].message
	if len(pack) == 1 {
		return out
	}
	packed := make([]protocol.Packed, len(pack))
	for i := range pack {
		m := &pack[i].message
		packed[i] = protocol.Packed{Type: m.Type, Body: m.Body}
		if m.Expiration == 0 || out.Expiration == 0 {
			out.Expiration = 0
		} else {
			out.Expiration = max(out.Expiration, m.Expiration)
		}
	}
	out.Type, out.Body = protocol.TypePack, protocol.EncodePack(packed)
	return out
}
