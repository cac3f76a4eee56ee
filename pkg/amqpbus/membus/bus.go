package membus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
)

// Bus is a process's access to a Broker. It implements amqpbus.Bus.
type Bus struct {
	broker *Broker
	user   string
	ended  chan struct{} // closed by Close
	unread amqpbus.Unread

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced at each change
	connected  bool
	blocked    string
	closed     bool
	consumers  map[*consumer]struct{}
	publishers map[*publisher]struct{}
	readers    map[*logReader]struct{}
}

var errAway = errors.New("the broker is away: it was taken down by the test")

// User implements amqpbus.Bus.
func (b *Bus) User() string { return b.user }

// Health implements amqpbus.Bus.
func (b *Bus) Health() amqpbus.Health {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := amqpbus.Health{Connected: b.connected && !b.closed, Blocked: b.blocked}
	switch {
	case b.closed:
		h.Err = amqpbus.ErrClosed
	case !b.connected:
		h.Err = errAway
	}
	return h
}

// Changed implements amqpbus.Bus.
func (b *Bus) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Declare implements amqpbus.Bus.
func (b *Bus) Declare(ctx context.Context, t amqpbus.Topology) error {
	if err := b.awaitLink(ctx); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	return b.broker.core.Declare(t)
}

// Delete implements amqpbus.Bus.
func (b *Bus) Delete(ctx context.Context, queue string) error {
	if err := b.awaitLink(ctx); err != nil {
		return fmt.Errorf("delete queue %q: %w", queue, err)
	}
	b.broker.core.Delete(queue)
	return nil
}

// OpenPublisher implements amqpbus.Bus.
func (b *Bus) OpenPublisher(ctx context.Context, window int) (amqpbus.Publisher, error) {
	if window < 1 || window > 1000 {
		return nil, fmt.Errorf("open publisher: window %d is not within 1 to 1,000", window)
	}
	for {
		if err := b.awaitLink(ctx); err != nil {
			return nil, fmt.Errorf("open publisher: %w", err)
		}
		p := newPublisher(b, window)
		b.mu.Lock()
		up := b.connected && !b.closed
		if up {
			b.publishers[p] = struct{}{}
			go p.run()
		}
		b.mu.Unlock()
		if up {
			return p, nil
		}
	}
}

// OpenConsumer implements amqpbus.Bus.
func (b *Bus) OpenConsumer(ctx context.Context, o amqpbus.ConsumerOptions) (amqpbus.Consumer, error) {
	c := &consumer{bus: b, woken: make(chan struct{}, 1)}
	resumed, err := b.unread.Open(ctx, o, amqpbus.OpenSteps{
		Exists: func(ctx context.Context) (bool, error) {
			if err := b.awaitLink(ctx); err != nil {
				return false, fmt.Errorf("open consumer: %w", err)
			}
			return b.broker.core.Exists(o.Queue), nil
		},
		Declare: b.Declare,
		Consume: func(ctx context.Context) error { return b.consume(ctx, c, o) },
	})
	if err != nil {
		return nil, err
	}
	c.resumed = resumed
	return c, nil
}

// consume adds the tap while the link is up, and waits for the link.
func (b *Bus) consume(ctx context.Context, c *consumer, o amqpbus.ConsumerOptions) error {
	for {
		if err := b.awaitLink(ctx); err != nil {
			return fmt.Errorf("open consumer: %w", err)
		}
		if up, err := b.tap(c, o); up || err != nil {
			return err
		}
	}
}

// tap adds the tap while the link is known to be up: up is false when it is not.
func (b *Bus) tap(c *consumer, o amqpbus.ConsumerOptions) (up bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.connected || b.closed {
		return false, nil
	}
	c.tap, err = b.broker.core.Consume(TapOptions{
		Queue: o.Queue, Exclusive: o.Exclusive, Prefetch: o.Prefetch, Wake: c.wake,
	})
	if err == nil {
		b.consumers[c] = struct{}{}
	}
	return true, err
}

// Close implements amqpbus.Bus.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.ended)
	b.changeLocked()
	consumers, publishers := b.takeLocked()
	b.mu.Unlock()
	b.broker.forget(b)
	end(consumers, publishers, amqpbus.ErrClosed)
	b.cutReading(amqpbus.ErrClosed)
	for p := range publishers {
		select {
		case <-p.Done():
		case <-ctx.Done():
			return fmt.Errorf("close bus: %w", ctx.Err())
		}
	}
	return nil
}

// awaitLink waits until the bus is connected, ctx ends or the bus is closed.
func (b *Bus) awaitLink(ctx context.Context) error {
	for {
		b.mu.Lock()
		closed, connected, changed := b.closed, b.connected, b.changed
		b.mu.Unlock()
		switch {
		case closed:
			return amqpbus.ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case connected:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// changeLocked tells who waits for a change of health.
func (b *Bus) changeLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Bus) takeLocked() (map[*consumer]struct{}, map[*publisher]struct{}) {
	c, p := b.consumers, b.publishers
	b.consumers, b.publishers = map[*consumer]struct{}{}, map[*publisher]struct{}{}
	return c, p
}

func end(consumers map[*consumer]struct{}, publishers map[*publisher]struct{}, reason error) {
	for c := range consumers {
		c.tap.End(reason)
	}
	for p := range publishers {
		p.end(reason)
	}
}
