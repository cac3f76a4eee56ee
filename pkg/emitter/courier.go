package emitter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// Pauses between a publisher that ended and the next one, with full jitter.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// maxStrikes is how many publishers in a row may end, with the connection
// standing and nothing confirmed, before the events are called unroutable: the
// broker closes a channel that publishes to an exchange which does not exist or
// may not be written to, and would do so for ever.
const maxStrikes = 3

// carrier opens what events are sent through: a bus, or the door.
type carrier interface {
	OpenPublisher(ctx context.Context, window int) (amqpbus.Publisher, error)
	Health() amqpbus.Health
	Changed() <-chan struct{}
}

// courier sends the buffer through one publisher after the other.
type courier struct {
	carrier carrier
	buffer  *buffer
	window  int
	sending func() // told of each publish; for metrics

	confirmed chan struct{} // marks that the present publisher confirmed something

	mu  sync.Mutex
	why error // guarded by mu; the broker's reason for the end of the last publisher, if it gave one
}

// run sends until ctx ends. Nothing of it is running when it returns.
func (c *courier) run(ctx context.Context) {
	strikes, pause := 0, firstPause
	for ctx.Err() == nil {
		changed := c.carrier.Changed()
		p, err := c.carrier.OpenPublisher(ctx, c.window)
		if err == nil {
			c.serve(ctx, p)
		}
		why := c.takeWhy()
		c.buffer.deny(why)
		unconfirmed := c.buffer.again()
		if signalled(c.confirmed) {
			strikes, pause = 0, firstPause
		}
		if !wait(ctx, rand.N(pause)+time.Millisecond) {
			return
		}
		pause = min(2*pause, lastPause)
		if unconfirmed == 0 || signalled(changed) || !c.carrier.Health().Connected {
			strikes = 0
			continue
		}
		if strikes++; strikes == maxStrikes {
			if why == nil {
				why = errors.New("the broker closes the channel and does not say why: see its log")
			}
			c.buffer.failAll(fmt.Errorf("%w: %w", ErrUnroutable, why))
			strikes = 0
		}
	}
}

// serve sends what waits through p until p or ctx ends; then p has called every
// done.
func (c *courier) serve(ctx context.Context, p amqpbus.Publisher) {
	defer func() {
		_ = p.Close() // it has ended, or the emitter is closing
		<-p.Done()
	}()
	for {
		next := c.buffer.next(time.Now())
		if next == nil {
			select {
			case <-c.buffer.fresh:
			case <-p.Done():
				return
			case <-ctx.Done():
				return
			}
			continue
		}
		c.sending()
		if err := p.Publish(ctx, next.msg, func(err error) { c.outcome(next, err) }); err != nil {
			if !errors.Is(err, amqpbus.ErrMessage) {
				return // it was not sent and is taken back with the rest
			}
			c.buffer.settle(next, fmt.Errorf("%w: %w", ErrInvalid, err))
		}
	}
}

// outcome settles an event as the broker said. After a lost link nobody knows:
// the event stays in the buffer.
func (c *courier) outcome(p *pending, err error) {
	switch {
	case errors.Is(err, amqpbus.ErrLinkLost):
		c.mu.Lock()
		c.why = err
		c.mu.Unlock()
		return
	case errors.Is(err, amqpbus.ErrRefused):
		err = ErrRefused
	case errors.Is(err, amqpbus.ErrUnroutable):
		err = ErrUnroutable
	}
	mark(c.confirmed)
	c.buffer.settle(p, err)
}

// takeWhy returns what ended the last publisher, and forgets it.
func (c *courier) takeWhy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := c.why
	c.why = nil
	return why
}

// signalled reports that a channel is closed or holds a mark, which it takes.
func signalled(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
