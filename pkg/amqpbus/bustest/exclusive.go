package bustest

import (
	"context"
	"errors"
	"time"

	"belfry/pkg/amqpbus"
)

var exclusiveContracts = []contract{
	{"an exclusive consumer keeps all others out", testExclusiveFirst},
	{"others keep an exclusive consumer out", testExclusiveSecond},
	{"the queue is free again after close", testExclusiveAfter},
	{"who would declare the queue waits for it", testExclusiveWait},
	{"the wait for the queue ends with its context", testExclusiveWaitEnds},
}

func testExclusiveFirst(k *kit) {
	a, b := k.bus(UserA), k.bus(UserB)
	q := k.queue(a, amqpbus.Queue{})
	held, err := a.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Exclusive: true, Prefetch: 10})
	k.noError(err, "open the exclusive consumer")
	for _, exclusive := range []bool{true, false} {
		_, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Exclusive: exclusive, Prefetch: 10})
		k.wantError(err, amqpbus.ErrInUse, "open another consumer")
	}
	k.send(b, q, "the holder is not disturbed")
	k.expect(held, "the holder is not disturbed")
}

func testExclusiveSecond(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	first := k.consumer(b, q, 10)
	_, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Exclusive: true, Prefetch: 10})
	k.wantError(err, amqpbus.ErrInUse, "open an exclusive consumer")
	k.send(b, q, "the first is not disturbed")
	k.expect(first, "the first is not disturbed")
}

func testExclusiveAfter(k *kit) {
	a, b := k.bus(UserA), k.bus(UserB)
	q := k.queue(a, amqpbus.Queue{})
	o := amqpbus.ConsumerOptions{Queue: q, Exclusive: true, Prefetch: 10}
	k.send(b, q, numbers(1, 3)...)
	first, err := a.OpenConsumer(k.ctx, o)
	k.noError(err, "open the first")
	got := k.expect(first, numbers(1, 3)...)
	k.noError(first.Ack(got[0]), "ack")
	k.noError(a.Close(k.ctx), "close the first's bus")
	var second amqpbus.Consumer
	k.eventually("the queue is free", func() bool {
		second, err = b.OpenConsumer(k.ctx, o)
		if err != nil && !errors.Is(err, amqpbus.ErrInUse) {
			k.Fatalf("open the second: %v", err)
		}
		return err == nil
	})
	k.expect(second, "2", "3")
}

// held gives a queue with an exclusive consumer, and the options to wait for it.
func (k *kit) held(b amqpbus.Bus) (amqpbus.Consumer, amqpbus.ConsumerOptions) {
	k.Helper()
	q := k.queue(b, amqpbus.Queue{})
	o := amqpbus.ConsumerOptions{
		Queue: q, Exclusive: true, Prefetch: 10,
		Declare: &amqpbus.Topology{Queues: []amqpbus.Queue{{Name: q}}},
	}
	c, err := b.OpenConsumer(k.ctx, o)
	k.noError(err, "open the holder")
	return c, o
}

func testExclusiveWait(k *kit) {
	a, b := k.bus(UserA), k.bus(UserB)
	holder, o := k.held(a)
	k.send(b, o.Queue, "for whoever is next")
	k.expect(holder, "for whoever is next")
	type opened struct {
		c   amqpbus.Consumer
		err error
	}
	result := make(chan opened, 1)
	go func() {
		c, err := b.OpenConsumer(k.ctx, o)
		result <- opened{c, err}
	}()
	undecided := time.NewTimer(2 * quiet)
	defer undecided.Stop()
	select {
	case got := <-result:
		k.Fatalf("the queue is held, but opening ended with %v", got.err)
	case <-undecided.C:
	}
	k.noError(holder.Close(), "close the holder")
	select {
	case got := <-result:
		k.noError(got.err, "open the next")
		k.expect(got.c, "for whoever is next")
	case <-k.ctx.Done():
		k.Fatal("the queue is free, but opening goes on")
	}
}

func testExclusiveWaitEnds(k *kit) {
	a, b := k.bus(UserA), k.bus(UserB)
	holder, o := k.held(a)
	ctx, cancel := context.WithTimeout(k.ctx, 2*quiet)
	defer cancel()
	_, err := b.OpenConsumer(ctx, o)
	k.wantError(err, amqpbus.ErrInUse, "open another consumer")
	k.wantError(err, context.DeadlineExceeded, "open another consumer")
	k.send(b, o.Queue, "the holder is not disturbed")
	k.expect(holder, "the holder is not disturbed")
}
