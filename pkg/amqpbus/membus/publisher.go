package membus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
)

// publisher confirms from one goroutine, in order. It implements
// amqpbus.Publisher.
type publisher struct {
	bus   *Bus
	slots chan struct{} // one per message that was not confirmed
	fresh chan struct{} // marks that pending grew
	ended chan struct{} // closed by end
	done  chan struct{} // closed when every done was called

	mu      sync.Mutex
	pending []pending
	reason  error // why it ended
}

// pending is a message on its way, in the order of publishing.
type pending struct {
	msg  amqpbus.Message
	done func(error)
}

func newPublisher(b *Bus, window int) *publisher {
	return &publisher{
		bus: b, slots: make(chan struct{}, window), fresh: make(chan struct{}, 1),
		ended: make(chan struct{}), done: make(chan struct{}),
	}
}

// Publish implements amqpbus.Publisher.
func (p *publisher) Publish(ctx context.Context, m amqpbus.Message, done func(error)) error {
	if err := checkMessage(m); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := p.bus.awaitUnblocked(ctx, p.ended); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-p.ended:
	case <-ctx.Done():
		return fmt.Errorf("publish: %w", ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil {
		return fmt.Errorf("publish: %w", p.reason)
	}
	p.pending = append(p.pending, pending{m, done})
	select {
	case p.fresh <- struct{}{}:
	default:
	}
	return nil
}

// Done implements amqpbus.Publisher.
func (p *publisher) Done() <-chan struct{} { return p.done }

// Close implements amqpbus.Publisher.
func (p *publisher) Close() error {
	p.bus.drop(p)
	p.end(amqpbus.ErrClosed)
	return nil
}

// end lets Publish fail with reason and the goroutine finish.
func (p *publisher) end(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == nil {
		p.reason = reason
		close(p.ended)
	}
}

// run sends what is pending and calls every done. Once a confirm is missing,
// all later ones wait behind it, because they are told in order.
func (p *publisher) run() {
	defer close(p.done)
	var withheld []pending
	for {
		next, ok := p.next()
		if !ok {
			break
		}
		verdict, err := p.send(next.msg)
		switch {
		case verdict == FateLoseConfirm || verdict == FateDrop || len(withheld) > 0:
			withheld = append(withheld, next)
			continue
		case errors.Is(err, ErrNoExchange):
			// The broker closes the channel for it.
			p.bus.drop(p)
			p.end(fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, err))
			err = amqpbus.ErrLinkLost
		}
		<-p.slots
		next.tell(err)
	}
	p.mu.Lock()
	rest := p.pending
	p.pending = nil
	p.mu.Unlock()
	for _, m := range append(withheld, rest...) {
		m.tell(amqpbus.ErrLinkLost)
	}
}

// next waits for the next pending message; ok is false at the end.
func (p *publisher) next() (pending, bool) {
	for {
		p.mu.Lock()
		if p.reason != nil {
			p.mu.Unlock()
			return pending{}, false
		}
		if len(p.pending) > 0 {
			next := p.pending[0]
			p.pending[0] = pending{}
			p.pending = p.pending[1:]
			p.mu.Unlock()
			return next, true
		}
		p.mu.Unlock()
		select {
		case <-p.fresh:
		case <-p.ended:
		}
	}
}

// send publishes one message as the test's hook wants it.
func (p *publisher) send(m amqpbus.Message) (Fate, error) {
	fate, held := p.bus.broker.fate(p.bus.user, m, p.ended)
	if !held {
		return FatePass, amqpbus.ErrLinkLost
	}
	switch fate {
	case FateRefuse:
		return fate, amqpbus.ErrRefused
	case FateDrop:
		return fate, nil
	default:
		return fate, p.bus.broker.core.Publish(p.bus.user, m)
	}
}

func (m pending) tell(err error) {
	if m.done != nil {
		m.done(err)
	}
}

// awaitUnblocked waits while the broker blocks the link.
func (b *Bus) awaitUnblocked(ctx context.Context, ended <-chan struct{}) error {
	for {
		b.mu.Lock()
		blocked, changed := b.blocked != "", b.changed
		b.mu.Unlock()
		if !blocked {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			return nil // the caller finds out why
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Bus) drop(p *publisher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.publishers, p)
}
