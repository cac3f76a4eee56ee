// Package confirm publishes messages and waits for the broker's confirm: what
// the rest of the worker, outside the router, sends goes through here. A nil
// error means that the broker has stored the message in every queue that it
// was for.
package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/packer"
)

// window bounds the messages that wait for their confirm.
const window = 512

// Publisher publishes and waits. It opens a channel to the broker when it has
// none. Its methods may be called concurrently.
type Publisher struct {
	bus   amqpbus.Bus
	packs *packer.Packer

	mu     sync.Mutex // held while opening: the others wait for the same one
	open   amqpbus.Publisher
	closed bool
}

// NewPublisher opens nothing yet.
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

// Pack is Send, but what waits for the broker at the same time, to the same
// destination, travels as one message; it may arrive after ctx ended.
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

// Send publishes one message and waits for its outcome: nil, or an error that
// is one of amqpbus's or of ctx. A lost link is not tried again by itself.
func (p *Publisher) Send(ctx context.Context, m amqpbus.Message) error {
	return p.SendAll(ctx, []amqpbus.Message{m})[0]
}

// SendAll publishes the messages in order on one channel and waits for all
// outcomes, one for each message.
func (p *Publisher) SendAll(ctx context.Context, messages []amqpbus.Message) []error {
	type outcome struct {
		index int
		err   error
	}
	outcomes := make([]error, len(messages))
	for i := range outcomes {
		outcomes[i] = amqpbus.ErrLinkLost // until it is known better
	}
	channel, err := p.channel(ctx)
	if err != nil {
		return fill(outcomes, fmt.Errorf("open a channel: %w", err))
	}
	arrived := make(chan outcome, len(messages)) // so that done never blocks
	sent := 0
	for i, m := range messages {
		if err := channel.Publish(ctx, m, func(err error) { arrived <- outcome{i, err} }); err != nil {
			// Later ones must not overtake it.
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

// Close ends the channel. Whoever still waits gets ErrLinkLost.
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
