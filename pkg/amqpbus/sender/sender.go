// Package sender publishes what one goroutine must not wait for: the owner of a
// machine of rules leaves messages, and goes on. They are sent in order, always
// mandatory, and the verdict on each is told.
//
// A sender is bounded. What finds it full is refused at once: for the rules that use
// it that is one more message that did not arrive, and costs time.
package sender

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
)

// ErrFull is the verdict on a message that found the sender full. It is
// amqpbus.ErrRefused, too.
var ErrFull = fmt.Errorf("too much waits to be sent: %w", amqpbus.ErrRefused)

// Options of New. Bus is required; the others have defaults.
type Options struct {
	Bus          amqpbus.Bus
	Window       int // unconfirmed messages, 1 to 1,000; default 256
	MostMessages int // that wait to be sent; default 4,096
	MostBytes    int // their bodies; default 64 MiB
}

// Sender sends messages. Its methods may be called concurrently, Once by one goroutine.
type Sender struct {
	o      Options
	signal chan struct{} // capacity 1: something waits

	mu      sync.Mutex
	waiting []letter // guarded by mu
	bytes   int      // guarded by mu; of the bodies in waiting
	up      bool     // guarded by mu; a publisher is open
}

type letter struct {
	message amqpbus.Message
	done    func(error)
}

// New starts nothing.
func New(o Options) *Sender {
	if o.Window == 0 {
		o.Window = 256
	}
	if o.MostMessages == 0 {
		o.MostMessages = 4096
	}
	if o.MostBytes == 0 {
		o.MostBytes = 64 << 20
	}
	return &Sender{o: o, signal: make(chan struct{}, 1)}
}

// Send leaves a message, whose body must not be changed any more. It does not block.
// done, which may be nil and must not block, is called exactly once: with nil when the
// broker has the message in a queue, or with an error of amqpbus or ErrFull. It may be
// called before Send returns.
func (s *Sender) Send(m amqpbus.Message, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	m.Mandatory = true
	s.mu.Lock()
	full := len(s.waiting) >= s.o.MostMessages || len(s.waiting) > 0 && s.bytes+len(m.Body) > s.o.MostBytes
	if !full {
		s.waiting = append(s.waiting, letter{m, done})
		s.bytes += len(m.Body)
	}
	s.mu.Unlock()
	if full {
		done(ErrFull)
		return
	}
	s.wake()
}

func (s *Sender) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Up reports whether a publisher is open.
func (s *Sender) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}

// Once sends through one publisher until that ends, or ctx does. What was not sent
// waits for the next call; what was sent and not confirmed is told ErrLinkLost.
func (s *Sender) Once(ctx context.Context) error {
	pub, err := s.o.Bus.OpenPublisher(ctx, s.o.Window)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	s.set(true)
	defer s.set(false)
	for {
		for l, some := s.first(); some; l, some = s.first() {
			err := pub.Publish(ctx, l.message, l.done)
			if err != nil && !errors.Is(err, amqpbus.ErrMessage) {
				return fmt.Errorf("publish: %w", err) // nothing was sent: it stays the first
			}
			s.remove()
			if err != nil {
				l.done(err)
			}
		}
		select {
		case <-s.signal:
		case <-pub.Done():
			return fmt.Errorf("the publisher was lost: %w", amqpbus.ErrLinkLost)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Sender) set(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up
}

func (s *Sender) first() (letter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return letter{}, false
	}
	return s.waiting[0], true
}

// remove takes the first away, which was sent; only the goroutine of Once does.
func (s *Sender) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= len(s.waiting[0].message.Body)
	s.waiting[0] = letter{}
	if s.waiting = s.waiting[1:]; len(s.waiting) == 0 {
		s.waiting = nil
	}
}

// Drop gives up what waits: each is told ErrLinkLost. It must not be called while Once
// runs.
func (s *Sender) Drop() {
	s.mu.Lock()
	all := s.waiting
	s.waiting, s.bytes = nil, 0
	s.mu.Unlock()
	for _, l := range all {
		l.done(amqpbus.ErrLinkLost)
	}
}
