package membus

import (
	"context"
	"fmt"

	"belfry/pkg/amqpbus"
)

// consumer makes a Tap block. It implements amqpbus.Consumer.
type consumer struct {
	bus     *Bus
	tap     *Tap
	resumed bool
	woken   chan struct{}
}

// wake is called under the core's lock: it leaves a mark and goes.
func (c *consumer) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Receive implements amqpbus.Consumer.
func (c *consumer) Receive(ctx context.Context, max int) ([]amqpbus.Delivery, error) {
	if max < 1 {
		return nil, fmt.Errorf("receive: max %d is below 1", max)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := c.tap.TryReceive(max)
		if len(out) > 0 || err != nil {
			return out, err
		}
		select {
		case <-c.woken:
		case <-ctx.Done():
		}
	}
}

// Resumed implements amqpbus.Consumer.
func (c *consumer) Resumed() bool { return c.resumed }

// Ack implements amqpbus.Consumer.
func (c *consumer) Ack(d amqpbus.Delivery) error { return c.tap.Ack(d.Tag) }

// AckThrough implements amqpbus.Consumer.
func (c *consumer) AckThrough(d amqpbus.Delivery) error { return c.tap.AckThrough(d.Tag) }

// Close implements amqpbus.Consumer.
func (c *consumer) Close() error {
	c.bus.mu.Lock()
	delete(c.bus.consumers, c)
	c.bus.mu.Unlock()
	c.tap.End(amqpbus.ErrClosed)
	return nil
}
