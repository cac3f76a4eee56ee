package bustest

import (
	"context"
	"errors"
	"slices"

	"belfry/pkg/amqpbus"
)

var consumeContracts = []contract{
	{"prefetch bounds the unacked deliveries", testPrefetch},
	{"the context of a receive is honoured and ends nothing", testReceiveContext},
	{"competing consumers share a queue", testCompeting},
	{"a queue that does not exist is an error of its own", testNoQueue},
	{"resumed tells whether the queue was there", testResumed},
	{"a queue found missing is not resumed before it had a consumer", testMissing},
	{"opening declares the topology though the queue is there", testOpenDeclares},
	{"opening fails where the topology cannot be declared", testOpenOtherArguments},
	{"a deleted queue cancels its consumer", testDelete},
	{"options out of bounds are refused", testOptions},
}

func testPrefetch(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, numbers(1, 6)...)
	c := k.consumer(b, q, 3)
	got := k.expect(c, "1", "2", "3")
	k.expectQuiet(c)
	k.noError(c.Ack(got[1]), "ack")
	got = append(got, k.expect(c, "4")...)
	k.expectQuiet(c)
	k.noError(c.AckThrough(got[3]), "ack through")
	k.expect(c, "5", "6")
}

func testReceiveContext(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	c := k.consumer(b, q, 10)
	ctx, cancel := context.WithCancel(k.ctx)
	result := make(chan error, 1)
	go func() {
		_, err := c.Receive(ctx, 1)
		result <- err
	}()
	cancel()
	k.wantError(k.await(result, "the end of receive"), context.Canceled, "receive")
	k.send(b, q, "comes all the same")
	k.expect(c, "comes all the same")
}

func testCompeting(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	one, two := k.consumer(b, q, 2), k.consumer(b, q, 2)
	k.send(b, q, numbers(1, 4)...)
	first, second := k.receive(one, 2, 2), k.receive(two, 2, 2)
	all := append(texts(first), texts(second)...)
	slices.Sort(all)
	if !slices.Equal(all, numbers(1, 4)) {
		k.Fatalf("one received %q, the other %q", texts(first), texts(second))
	}
}

func testNoQueue(k *kit) {
	b := k.bus(UserA)
	_, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: k.name("missing"), Prefetch: 1})
	k.wantError(err, amqpbus.ErrNoQueue, "open consumer")
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, "the bus still works")
	k.expect(k.consumer(b, q, 1), "the bus still works")
}

func testResumed(k *kit) {
	b := k.bus(UserA)
	q := k.name("queue")
	o := amqpbus.ConsumerOptions{
		Queue: q, Exclusive: true, Prefetch: 10,
		Declare: &amqpbus.Topology{Queues: []amqpbus.Queue{{Name: q}}},
	}
	k.Cleanup(func() { k.remove(q) })
	first, err := b.OpenConsumer(k.ctx, o)
	k.noError(err, "open the first consumer")
	if first.Resumed() {
		k.Error("the queue was not there, but the consumer says resumed")
	}
	k.noError(first.Close(), "close the first consumer")
	k.send(b, q, "in between")
	var second amqpbus.Consumer
	k.eventually("the second consumer", func() bool {
		second, err = b.OpenConsumer(k.ctx, o)
		if err != nil && !errors.Is(err, amqpbus.ErrInUse) {
			k.Fatalf("open the second consumer: %v", err)
		}
		return err == nil
	})
	if !second.Resumed() {
		k.Error("the queue was there, but the consumer does not say resumed")
	}
	k.expect(second, "in between")
}

// testMissing fails between declaring and consuming: no consumer of a queue
// with a single active one may be exclusive.
func testMissing(k *kit) {
	b, other := k.bus(UserA), k.bus(UserB)
	q := k.name("queue")
	o := amqpbus.ConsumerOptions{
		Queue: q, Prefetch: 10,
		Declare: &amqpbus.Topology{Queues: []amqpbus.Queue{{Name: q, SingleActiveConsumer: true}}},
	}
	k.Cleanup(func() { k.remove(q) })
	exclusive := o
	exclusive.Exclusive = true
	for range 2 { // the second attempt finds the queue
		ctx, cancel := context.WithTimeout(k.ctx, quiet)
		_, err := b.OpenConsumer(ctx, exclusive)
		cancel()
		if err == nil {
			k.Fatal("an exclusive consumer of a queue with a single active one was accepted")
		}
	}
	k.send(other, q, "the queue is there")
	for _, step := range []struct {
		bus     amqpbus.Bus
		resumed bool
		what    string
	}{
		{other, true, "a bus that never found it missing"},
		{b, false, "the bus that found it missing, for the first time"},
		{b, true, "the bus that found it missing, once it had a consumer"},
	} {
		c, err := step.bus.OpenConsumer(k.ctx, o)
		k.noError(err, step.what)
		if c.Resumed() != step.resumed {
			k.Errorf("%s: resumed is %v", step.what, c.Resumed())
		}
		k.noError(c.Close(), step.what)
	}
}

func testOpenDeclares(k *kit) {
	b := k.bus(UserA)
	exchange, q := k.name("exchange"), k.queue(b, amqpbus.Queue{})
	c, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Prefetch: 10, Declare: &amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: exchange, Kind: "fanout"}},
		Queues:    []amqpbus.Queue{{Name: q}},
		Bindings:  []amqpbus.Binding{{Exchange: exchange, Queue: q}},
	}})
	k.noError(err, "open consumer")
	if !c.Resumed() {
		k.Error("the queue was there, but the consumer does not say resumed")
	}
	k.confirmed(b, amqpbus.Message{Exchange: exchange, Mandatory: true, Body: []byte("through the new binding")})
	k.expect(c, "through the new binding")
}

func testOpenOtherArguments(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{MaxLength: 10})
	_, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Prefetch: 10, Declare: &amqpbus.Topology{
		Queues: []amqpbus.Queue{{Name: q, MaxLength: 20}},
	}})
	if err == nil {
		k.Fatal("a queue with other arguments was consumed")
	}
	k.send(b, q, "the queue is as it was")
	k.expect(k.consumer(b, q, 1), "the queue is as it was")
}

func testDelete(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, "one", "two")
	c := k.consumer(b, q, 1)
	got := k.expect(c, "one")
	k.noError(b.Delete(k.ctx, q), "delete")
	_, err := c.Receive(k.ctx, 1)
	k.wantError(err, amqpbus.ErrCancelled, "receive")
	k.eventually("an error from ack", func() bool { return c.Ack(got[0]) != nil })
	k.noError(c.Close(), "close the consumer")
	k.noError(b.Delete(k.ctx, q), "delete again")
	_, err = b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Prefetch: 1})
	k.wantError(err, amqpbus.ErrNoQueue, "open consumer")
}

func testOptions(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	for _, prefetch := range []int{-1, 0, 65536} {
		if _, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: q, Prefetch: prefetch}); err == nil {
			k.Errorf("prefetch %d was accepted", prefetch)
		}
	}
	if _, err := k.consumer(b, q, 1).Receive(k.ctx, 0); err == nil {
		k.Error("receive of at most 0 was accepted")
	}
}
