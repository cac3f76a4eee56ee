package bustest

import (
	"context"

	"belfry/pkg/amqpbus"
)

var closeContracts = []contract{
	{"closing a consumer ends its methods", testCloseConsumer},
	{"closing a publisher tells every outcome", testClosePublisher},
	{"closing the bus ends everything", testCloseBus},
	{"closing twice is harmless", testCloseTwice},
}

func testCloseConsumer(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, "one")
	c := k.consumer(b, q, 10)
	got := k.expect(c, "one")
	result := make(chan error, 1)
	go func() {
		_, err := c.Receive(k.ctx, 1)
		result <- err
	}()
	k.noError(c.Close(), "close")
	k.wantError(k.await(result, "the end of receive"), amqpbus.ErrClosed, "receive")
	if c.Ack(got[0]) == nil || c.AckThrough(got[0]) == nil {
		k.Error("an ack after close gave no error")
	}
	_, err := c.Receive(k.ctx, 1)
	k.wantError(err, amqpbus.ErrClosed, "receive after close")
}

func testClosePublisher(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	p := k.publisher(b, 1000)
	var o outcomes
	for i, m := range to(q, numbers(0, 499)...) {
		k.noError(p.Publish(k.ctx, m, o.done(i)), "publish")
	}
	k.noError(p.Close(), "close")
	k.awaitClosed(p.Done(), "the publisher's end")
	if o.count() != 500 {
		k.Fatalf("%d outcomes of 500 when Done was closed", o.count())
	}
	for _, err := range o.errs {
		if err != nil {
			k.wantError(err, amqpbus.ErrLinkLost, "an outcome after close")
		}
	}
	k.wantError(p.Publish(k.ctx, to(q, "x")[0], nil), amqpbus.ErrClosed, "publish after close")
}

func testCloseBus(k *kit) {
	b, other := k.bus(UserA), k.bus(UserB)
	q := k.queue(other, amqpbus.Queue{})
	k.send(b, q, numbers(1, 5)...)
	p, c := k.publisher(b, 10), k.consumer(b, q, 10)
	got := k.expect(c, numbers(1, 5)...)
	k.noError(c.Ack(got[0]), "ack")
	result := make(chan error, 1)
	go func() {
		_, err := c.Receive(k.ctx, 1)
		result <- err
	}()
	changed := b.Changed()
	k.noError(b.Close(k.ctx), "close")
	k.wantError(k.await(result, "the end of receive"), amqpbus.ErrClosed, "receive")
	k.awaitClosed(p.Done(), "the publisher's end")
	k.awaitClosed(changed, "the change of health")
	k.wantError(p.Publish(k.ctx, to(q, "x")[0], nil), amqpbus.ErrClosed, "publish")
	k.expectClosed(b, q)
	for _, d := range k.expect(k.consumer(other, q, 10), numbers(2, 5)...) {
		if !d.Redelivered {
			k.Errorf("message %s is not marked as redelivered", d.Body)
		}
	}
}

func (k *kit) expectClosed(b amqpbus.Bus, queue string) {
	k.Helper()
	if h := b.Health(); h.Connected || h.Err == nil {
		k.Errorf("health after close: %+v", h)
	}
	_, err := b.OpenPublisher(k.ctx, 1)
	k.wantError(err, amqpbus.ErrClosed, "open publisher")
	_, err = b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1})
	k.wantError(err, amqpbus.ErrClosed, "open consumer")
	k.wantError(b.Declare(k.ctx, amqpbus.Topology{}), amqpbus.ErrClosed, "declare")
	k.wantError(b.Delete(k.ctx, queue), amqpbus.ErrClosed, "delete")
}

func testCloseTwice(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	p, c := k.publisher(b, 1), k.consumer(b, q, 1)
	for range 2 {
		k.noError(p.Close(), "close the publisher")
		k.noError(c.Close(), "close the consumer")
	}
	for range 2 {
		k.noError(b.Close(k.ctx), "close the bus")
	}
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	if _, err := b.OpenPublisher(ended, 1); err == nil {
		k.Error("a publisher was opened on a closed bus")
	}
}
