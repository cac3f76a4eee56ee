package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The raw baselines speak to RabbitMQ with the bare library, without a line of
// Belfry's, so that a ratio says what Belfry costs.

// window is how many publishes may be unconfirmed, as in Belfry's emit path.
const window = 1000

// publisher publishes with confirms on one channel, pipelined.
type publisher struct {
	conn    *amqp.Connection
	ch      *amqp.Channel
	pending chan *amqp.DeferredConfirmation
	done    chan error
	expire  string
}

func openPublisher(url string) (*publisher, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open channel: %w", err), conn.Close())
	}
	p := &publisher{conn: conn, ch: ch, pending: make(chan *amqp.DeferredConfirmation, window), done: make(chan error, 1), expire: "60000"}
	go p.confirm()
	return p, nil
}

func (p *publisher) confirm() {
	var err error
	for c := range p.pending {
		if !c.Wait() && err == nil {
			err = errors.New("a publish was not confirmed")
		}
	}
	p.done <- err
}

func (p *publisher) publish(ctx context.Context, exchange, key, id string, body []byte) error {
	c, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false,
		amqp.Publishing{MessageId: id, Expiration: p.expire, Body: body})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	select {
	case p.pending <- c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("publish: %w", ctx.Err())
	}
}

// close waits for the confirms.
func (p *publisher) close(ctx context.Context) (err error) {
	close(p.pending)
	select {
	case err = <-p.done:
	case <-ctx.Done():
		err = fmt.Errorf("wait for the confirms: %w", ctx.Err())
	}
	return errors.Join(err, p.conn.CloseDeadline(time.Now().Add(5*time.Second)))
}

// rawHops measures messages through hops queues in a row: what is consumed from
// one is published to the next by a relay that keeps window publishes in
// flight, acks after the confirm and does nothing else.
type rawHops struct {
	url   string
	hops  int
	names []string
}

func newRawHops(url string, hops int) (*rawHops, error) {
	r := &rawHops{url: url, hops: hops}
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	for i := range hops {
		name := "bench.raw." + strconv.Itoa(hops) + "." + strconv.Itoa(i)
		if _, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "classic"}); err != nil {
			return nil, fmt.Errorf("declare %s: %w", name, err)
		}
		if _, err := ch.QueuePurge(name, false); err != nil {
			return nil, fmt.Errorf("purge %s: %w", name, err)
		}
		r.names = append(r.names, name)
	}
	return r, nil
}

// run publishes for the time given at the rate given (0: flat out) and calls
// received with each body that came out of the last queue.
func (r *rawHops) run(ctx context.Context, e emission, received func(body []byte)) (time.Duration, error) {
	conn, err := amqp.Dial(r.url)
	if err != nil {
		return 0, fmt.Errorf("dial broker: %w", err)
	}
	defer func() { _ = conn.Close() }()
	var all sync.WaitGroup
	arrived := make(chan struct{}, 1<<20)
	for i, name := range r.names {
		last := i == len(r.names)-1
		ch, err := conn.Channel()
		if err == nil {
			err = ch.Qos(window, 0, false)
		}
		if err != nil {
			return 0, fmt.Errorf("open channel: %w", err)
		}
		in, err := ch.Consume(name, "bench", false, true, false, false, nil)
		if err != nil {
			return 0, fmt.Errorf("consume %s: %w", name, err)
		}
		if last {
			all.Go(func() { drain(in, received, arrived) })
			continue
		}
		all.Go(func() { r.relay(ctx, in, r.names[i+1]) })
	}
	start := time.Now()
	sent, err := e.run(ctx, func(p *publisher, n int, body []byte) error {
		return p.publish(ctx, "", r.names[0], strconv.Itoa(n), body)
	}, r.url)
	for range sent {
		select {
		case <-arrived:
		case <-ctx.Done():
			return 0, fmt.Errorf("raw hops: %w", ctx.Err())
		}
	}
	took := time.Since(start)
	_ = conn.Close()
	all.Wait()
	return took, err
}

func drain(in <-chan amqp.Delivery, received func([]byte), arrived chan<- struct{}) {
	unacked := 0
	for d := range in {
		received(d.Body)
		arrived <- struct{}{}
		if unacked++; unacked >= 100 || len(in) == 0 {
			_ = d.Ack(true)
			unacked = 0
		}
	}
}

func (r *rawHops) relay(ctx context.Context, in <-chan amqp.Delivery, to string) {
	p, err := openPublisher(r.url)
	if err != nil {
		return
	}
	defer func() { _ = p.close(ctx) }()
	for d := range in {
		if p.publish(ctx, "", to, d.MessageId, d.Body) != nil {
			return
		}
		_ = d.Ack(false)
	}
}
