package sessions

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/packer"
)

// window bounds the unconfirmed messages of the courier's publisher.
const window = 512

// Courier publishes and waits for the broker's confirm. It opens a publisher
// when there is none. Its methods may be called concurrently.
type Courier struct {
	bus   amqpbus.Bus
	packs *packer.Packer

	mu     sync.Mutex // held while opening: the others wait for the same one
	open   amqpbus.Publisher
	closed bool
}

// NewCourier opens nothing yet.
func NewCourier(bus amqpbus.Bus) *Courier {
	c := &Courier{bus: bus}
	c.packs = packer.New(func(ctx context.Context, m amqpbus.Message, done func(error)) error {
		publisher, err := c.publisher(ctx)
		if err != nil {
			return fmt.Errorf("open publisher: %w", err)
		}
		return publisher.Publish(ctx, m, done)
	})
	return c
}

// Pack is Send, but what waits for the broker at the same time, to the same
// destination, travels as one message; it may arrive after ctx ended.
func (c *Courier) Pack(ctx context.Context, m amqpbus.Message) error {
	settled := make(chan error, 1) // so that done never blocks
	c.packs.Send(ctx, m, func(err error) { settled <- err })
	select {
	case err := <-settled:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the confirm: %w", ctx.Err())
	}
}

// Send publishes one message and waits for its outcome: nil, or an error that
// is one of amqpbus's or of ctx. A lost link is not tried again by itself.
func (c *Courier) Send(ctx context.Context, m amqpbus.Message) error {
	return c.SendAll(ctx, []amqpbus.Message{m})[0]
}

// SendAll publishes the messages in order on one channel and waits for all
// outcomes, one for each message.
func (c *Courier) SendAll(ctx context.Context, messages []amqpbus.Message) []error {
	type outcome struct {
		index int
		err   error
	}
	outcomes := make([]error, len(messages))
	for i := range outcomes {
		outcomes[i] = amqpbus.ErrLinkLost // until it is known better
	}
	publisher, err := c.publisher(ctx)
	if err != nil {
		return fill(outcomes, fmt.Errorf("open publisher: %w", err))
	}
	arrived := make(chan outcome, len(messages)) // so that done never blocks
	sent := 0
	for i, m := range messages {
		if err := publisher.Publish(ctx, m, func(err error) { arrived <- outcome{i, err} }); err != nil {
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

func (c *Courier) publisher(ctx context.Context) (amqpbus.Publisher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, amqpbus.ErrClosed
	}
	if c.open != nil {
		select {
		case <-c.open.Done():
		default:
			return c.open, nil
		}
	}
	publisher, err := c.bus.OpenPublisher(ctx, window)
	if err != nil {
		return nil, err
	}
	c.open = publisher
	return publisher, nil
}

// Close ends the publisher. Whoever still waits gets ErrLinkLost.
func (c *Courier) Close() error {
	c.packs.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.open == nil {
		return nil
	}
	return c.open.Close()
}
