// Package confirm publishes messages and waits for the broker's confirm. All parts of the
// worker except the router send through it. A nil error means that the broker has stored
// the message in every queue to which it was routed.
package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/packer"
)

// window is the largest number of unconfirmed messages.
const window = 512

// Publisher publishes messages and waits for their confirms. It opens a channel to the
// broker when it needs one. Its methods may be called concurrently.
type Publisher struct {
	bus   amqpbus.Bus
	packs *packer.Packer

	mu     sync.Mutex // also held while a channel is opened, so that all callers share it
	open   amqpbus.Publisher
	closed bool
}

// NewPublisher makes a Publisher. It does not open a channel yet. Close it.
func NewPublisher(bus amqpbus.Bus) *Publisher {
	p := &Publisher{bus: bus}
	p.packs = packer.New(func(ctx context.Context, m amqpbus.Message, done func(error)) error {
		channel, err := p.channel(ctx)
		if err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		return channel.Publish(ctx, m, done)
	})
	return p
}

// Pack is Send, except that messages which wait for the broker at the same time, to the
// same destination, are sent as one (package packer). If ctx ends first, the message may
// still be sent.
func (p *Publisher) Pack(ctx context.Context, m amqpbus.Message) error {
	outcome := make(chan error, 1) // so that done never blocks
	p.packs.Send(ctx, m, func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the confirm: %w", ctx.Err())
	}
}

// Send publishes one message and waits for its outcome. The error wraps one of amqpbus's
// errors or ctx's. After a lost link (ErrLinkLost) it does not try again.
func (p *Publisher) Send(ctx context.Context, m amqpbus.Message) error {
	return p.SendAll(ctx, []amqpbus.Message{m})[0]
}

// SendAll publishes the messages in order on one channel and waits for all outcomes. It
// returns one for each message. If one cannot be sent, those after it are not sent.
func (p *Publisher) SendAll(ctx context.Context, messages []amqpbus.Message) []error {
	type outcome struct {
		index int
		err   error
	}
	outcomes := make([]error, len(messages))
	for i := range outcomes {
		outcomes[i] = amqpbus.ErrLinkLost // until the outcome is known
	}
	channel, err := p.channel(ctx)
	if err != nil {
		return fill(outcomes, fmt.Errorf("open a channel: %w", err))
	}
	arrived := make(chan outcome, len(messages)) // so that done never blocks
	sent := 0
	for i, m := range messages {
		if err := channel.Publish(ctx, m, func(err error) { arrived <- outcome{i, err} }); err != nil {
			// The later ones are not sent, so that the order is kept.
			fill(outcomes[i:], fmt.Errorf("publish: %w", err))
			break
		}
		sent++
	}
	for range sent {
		select {
		case o := <-arrived:
			outcomes[o.index] = o.err
		case <-ctx.Done():
			for i := range outcomes[:sent] {
				if errors.Is(outcomes[i], amqpbus.ErrLinkLost) {
					outcomes[i] = fmt.Errorf("wait for the confirm: %w", ctx.Err())
				}
			}
			return outcomes
		}
	}
	return outcomes
}

func fill(outcomes []error, err error) []error {
	for i := range outcomes {
		outcomes[i] = err
	}
	return outcomes
}

func (p *Publisher) channel(ctx context.Context) (amqpbus.Publisher, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, amqpbus.ErrClosed
	}
	if p.open != nil {
		select {
		case <-p.open.Done():
		default:
			return p.open, nil
		}
	}
	channel, err := p.bus.OpenPublisher(ctx, window)
	if err != nil {
		return nil, err
	}
	p.open = channel
	return channel, nil
}

// Close closes the channel. Calls that still wait return ErrLinkLost.
func (p *Publisher) Close() error {
	p.packs.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.open == nil {
		return nil
	}
	return p.open.Close()
}
