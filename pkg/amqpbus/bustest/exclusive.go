package bustest

import (
	"errors"

	"belfry/pkg/amqpbus"
)

var exclusiveContracts = []contract{
	{"an exclusive consumer keeps all others out", testExclusiveFirst},
	{"others keep an exclusive consumer out", testExclusiveSecond},
	{"the queue is free again after close", testExclusiveAfter},
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
