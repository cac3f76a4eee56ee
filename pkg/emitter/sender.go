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

// Bounds of the pause, with full jitter, between the end of a publisher and the next one.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// maxStrikes is how many publishers in a row may end without a confirm while the
// connection is up; then the buffer fails with ErrUnroutable. The broker closes a channel
// that publishes to a missing or forbidden exchange, and would do so every time.
const maxStrikes = 3

// transport is how events are sent: a bus, or the endpoint of `belfry dev`.
type transport interface {
	OpenPublisher(ctx context.Context, window int) (amqpbus.Publisher, error)
	Health() amqpbus.Health
	Changed() <-chan struct{}
}

// sender sends the events in the buffer. When its publisher ends, it opens another.
type sender struct {
	transport transport
	buffer    *buffer
	window    int
	sending   func() // called for each publish; for metrics

	confirmed chan struct{} // signals that the current publisher has confirmed an event

	mu  sync.Mutex
	why error // guarded by mu; why the last publisher ended, if the broker said so
}

// run sends until ctx ends. When it returns, its publisher has ended too.
func (s *sender) run(ctx context.Context) {
	strikes, pause := 0, firstPause
	for ctx.Err() == nil {
		changed := s.transport.Changed()
		p, err := s.transport.OpenPublisher(ctx, s.window)
		if err == nil {
			s.serve(ctx, p)
		}
		why := s.takeReason()
		s.buffer.deny(why)
		unconfirmed := s.buffer.requeue()
		if signalled(s.confirmed) {
			strikes, pause = 0, firstPause
		}
		if !wait(ctx, rand.N(pause)+time.Millisecond) {
			return
		}
		pause = min(2*pause, lastPause)
		if unconfirmed == 0 || signalled(changed) || !s.transport.Health().Connected {
			strikes = 0
			continue
		}
		if strikes++; strikes == maxStrikes {
			if why == nil {
				why = errors.New("the broker closes the channel without giving a reason: see the broker's log")
			}
			s.buffer.failAll(fmt.Errorf("%w: %w", ErrUnroutable, why))
			strikes = 0
		}
	}
}

// serve sends waiting events through p until p or ctx ends. When it returns, p has called
// every done function.
func (s *sender) serve(ctx context.Context, p amqpbus.Publisher) {
	defer func() {
		_ = p.Close() // it has ended, or the emitter is closing
		<-p.Done()
	}()
	for {
		next := s.buffer.next(time.Now())
		if next == nil {
			select {
			case <-s.buffer.fresh:
			case <-p.Done():
				return
			case <-ctx.Done():
				return
			}
			continue
		}
		s.sending()
		if err := p.Publish(ctx, next.msg, func(err error) { s.outcome(next, err) }); err != nil {
			if !errors.Is(err, amqpbus.ErrMessage) {
				return // run requeues it with the others
			}
			s.buffer.settle(next, fmt.Errorf("%w: %w", ErrInvalid, err))
		}
	}
}

// outcome settles an event with the broker's outcome. If the link was lost, the outcome is
// unknown and the event stays in the buffer, to be sent again.
func (s *sender) outcome(p *pending, err error) {
	switch {
	case errors.Is(err, amqpbus.ErrLinkLost):
		s.mu.Lock()
		s.why = err
		s.mu.Unlock()
		return
	case errors.Is(err, amqpbus.ErrRefused):
		err = ErrRefused
	case errors.Is(err, amqpbus.ErrUnroutable):
		err = ErrUnroutable
	}
	mark(s.confirmed)
	s.buffer.settle(p, err)
}

// takeReason returns why the last publisher ended, and clears it.
func (s *sender) takeReason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := s.why
	s.why = nil
	return why
}

// signalled reports whether a channel is closed or holds a signal, which it receives.
func signalled(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wait waits for d. It reports false if ctx ended first.
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
