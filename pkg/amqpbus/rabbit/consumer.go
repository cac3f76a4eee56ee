package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// consumer is one channel that consumes one queue. pump moves deliveries from the library's Go
// channel to waiting, so that Receive can return all of them at once.
type consumer struct {
	bus     *bus
	ch      *amqp.Channel
	resumed bool
	wake    chan struct{} // capacity 1: signals that waiting or err has changed

	mu      sync.Mutex
	waiting []amqpbus.Delivery // guarded by mu
	err     error              // guarded by mu; why no more deliveries will come
}

func (b *bus) OpenConsumer(ctx context.Context, o amqpbus.ConsumerOptions) (amqpbus.Consumer, error) {
	if o.Prefetch < 1 || o.Prefetch > 65535 {
		return nil, fmt.Errorf("consume %s: the prefetch is %d, but must be 1 to 65,535", o.Queue, o.Prefetch)
	}
	var c *consumer
	resumed, err := b.unread.Open(ctx, o, amqpbus.OpenSteps{
		Exists:  func(ctx context.Context) (bool, error) { return b.exists(ctx, o.Queue) },
		Declare: b.Declare,
		Consume: func(ctx context.Context) (err error) { c, err = b.startConsumer(ctx, o); return err },
	})
	if err != nil {
		return nil, err
	}
	c.resumed = resumed
	return c, nil
}

// exists reports whether a queue exists, without changing it.
func (b *bus) exists(ctx context.Context, queue string) (bool, error) {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return false, err
	}
	defer closeChannel(ch)
	_, err = await(ctx, func() (amqp.Queue, error) {
		return ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	}, nil)
	if err == nil {
		return true, nil
	}
	why := reason(err)
	if errors.Is(why, amqpbus.ErrNoQueue) {
		return false, nil
	}
	return false, b.noted(fmt.Errorf("look for queue %s: %w", queue, why))
}

func (b *bus) startConsumer(ctx context.Context, o amqpbus.ConsumerOptions) (*consumer, error) {
	ch, err := b.consume.channel(ctx)
	if err != nil {
		return nil, err
	}
	c := &consumer{bus: b, ch: ch, wake: make(chan struct{}, 1)}
	lost := ch.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := ch.NotifyCancel(make(chan string, 1))
	in, err := await(ctx, func() (<-chan amqp.Delivery, error) {
		if err := ch.Qos(o.Prefetch, 0, false); err != nil {
			return nil, err
		}
		return ch.Consume(o.Queue, "belfry", false, o.Exclusive, false, false, nil)
	}, nil)
	if err != nil {
		closeChannel(ch) // it may still be open, and even consume, if await gave up
		return nil, b.noted(fmt.Errorf("consume %s: %w", o.Queue, reason(err)))
	}
	go c.pump(in, lost, cancelled)
	return c, nil
}

// pump moves deliveries to waiting until the library closes their Go channel, which it does when
// the AMQP channel ends or the broker cancels the consumer.
func (c *consumer) pump(in <-chan amqp.Delivery, lost <-chan *amqp.Error, cancelled <-chan string) {
	for d := range in {
		c.mu.Lock()
		c.waiting = append(c.waiting, delivery(d))
		c.mu.Unlock()
		c.signal()
	}
	var verdict error
	if wasCancelled, e := whatEnded(cancelled, lost); wasCancelled {
		verdict = amqpbus.ErrCancelled
		go func() { _ = c.ch.Close() }() // unacked deliveries return to the queue
	} else {
		verdict = c.bus.ended("consumes", e)
	}
	if c.bus.ctx.Err() != nil {
		verdict = amqpbus.ErrClosed
	}
	c.end(verdict)
}

// whatEnded reports why the library closed a channel's deliveries: the broker cancelled
// the consumer, or the channel ended, with an error unless it was closed. At its end
// the library closes both listeners, in no order that a select would see.
func whatEnded(cancelled <-chan string, lost <-chan *amqp.Error) (wasCancelled bool, e *amqp.Error) {
	select {
	case _, wasCancelled = <-cancelled:
		if wasCancelled {
			return true, nil
		}
		return false, <-lost
	case e = <-lost:
		return false, e
	}
}

// end records why no more deliveries will come. Only the first reason counts.
func (c *consumer) end(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.signal()
}

func (c *consumer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *consumer) Receive(ctx context.Context, most int) ([]amqpbus.Delivery, error) {
	if most < 1 {
		return nil, fmt.Errorf("receive: the maximum of deliveries is %d, but must be at least 1", most)
	}
	for {
		c.mu.Lock()
		if c.err != nil {
			err := c.err
			c.mu.Unlock()
			c.signal()
			return nil, err
		}
		if n := min(len(c.waiting), most); n > 0 {
			out := c.waiting[:n:n]
			c.waiting = c.waiting[n:]
			if len(c.waiting) == 0 {
				c.waiting = nil
			}
			c.mu.Unlock()
			return out, nil
		}
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *consumer) Resumed() bool { return c.resumed }

func (c *consumer) Ack(d amqpbus.Delivery) error { return c.ack(d.Tag, false) }

func (c *consumer) AckThrough(d amqpbus.Delivery) error { return c.ack(d.Tag, true) }

// ack holds mu, so that it never runs during or after the close of its channel, which the broker
// would answer with 504 and the end of the whole connection.
func (c *consumer) ack(tag uint64, through bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if err := c.ch.Ack(tag, through); err != nil {
		return fmt.Errorf("ack: %w: %w", amqpbus.ErrLinkLost, err)
	}
	return nil
}

func (c *consumer) Close() error {
	patiently(nil, func() {
		c.end(amqpbus.ErrClosed) // after the acks that were called
		closeChannel(c.ch)
	})
	return nil
}
