// Package packer sends several small messages as one. If nothing is waiting, a message is
// published at once. Messages that arrive while the broker has not confirmed earlier ones
// to the same destination are published together, as one pack (protocol.TypePack). So
// messages are not delayed in order to be collected, and a storm of reconnecting clients
// costs the broker only a fraction of the messages.
//
// A lane holds the messages for one exchange and key. Publishers report confirms in order,
// so a destination whose confirms are late delays the confirms of all others. A lane
// therefore publishes again after roomAfter, although confirms are missing. It has a
// goroutine only while it sends.
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
	// window is the largest number of a lane's unconfirmed publishes: enough to keep the
	// broker busy, and few enough that several messages gather meanwhile.
	window = 4
	// maxBytes is the largest sum of the bodies in a pack, unless it is a single message.
	maxBytes = 256 << 10
	// patience is how long to wait for the publisher.
	patience = 5 * time.Second
	// roomAfter is how long an unconfirmed publish occupies the window at most. Its confirm
	// may be delayed by another destination, or by an alarm for as long as that lasts.
	roomAfter = 500 * time.Millisecond
)

// Publish publishes one message and calls done with the outcome, like
// amqpbus.Publisher.Publish.
type Publish func(ctx context.Context, m amqpbus.Message, done func(error)) error

// Packer publishes messages, and packs those that wait. Its methods may be called
// concurrently.
type Packer struct {
	publish Publish
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool                  // guarded by mu
	lanes  map[destination]*lane // guarded by mu; lanes with waiting or unconfirmed messages
}

type destination struct{ exchange, key string }

type lane struct {
	to          destination
	waiting     []waiting
	unconfirmed int  // publishes that occupy the window
	running     bool // it has a goroutine
}

type waiting struct {
	ctx     context.Context
	message amqpbus.Message
	done    func(error)
}

// New makes a Packer. It starts nothing. Close it.
func New(publish Publish) *Packer {
	ctx, cancel := context.WithCancel(context.Background())
	return &Packer{publish: publish, ctx: ctx, cancel: cancel, lanes: map[destination]*lane{}}
}

// Send queues m and does not block. The caller must not change m's body afterwards. done is
// called exactly once and must not block: with nil when the broker has confirmed, with an
// error of publish, with ctx's if ctx ended before m was sent, or with amqpbus.ErrClosed.
// Messages to one destination must be equal but for type, body and expiration; a pack gets
// the longest expiration.
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

// Close gives up the waiting messages with amqpbus.ErrClosed, and returns when no goroutine is
// left. Published messages get their outcome from the publisher.
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
	report(left, amqpbus.ErrClosed)
}

// startLocked starts a lane's goroutine if there is something to publish and room in the
// window, and removes a lane in which nothing is left.
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
		release := p.occupied(l)
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		err := p.publish(ctx, join(pack), func(err error) { report(pack, err); release() })
		cancel()
		if err != nil {
			report(pack, err)
			release()
		}
	}
}

// next removes from a lane the messages of the next pack, and those whose context has ended
// (late). If there is nothing to publish, or no room, the lane's goroutine must end.
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

// occupied returns a function that frees the place in the window that next has occupied. It
// is freed after roomAfter at the latest, and only once.
func (p *Packer) occupied(l *lane) (release func()) {
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

func report(pack []waiting, err error) {
	for i := range pack {
		pack[i].done(err)
	}
}

// join returns the pack as one message. A single message stays as it is.
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
