package bustest

import "belfry/pkg/amqpbus"

var settleContracts = []contract{
	{"what was acked is gone", testAckedIsGone},
	{"what was not acked comes back in order, marked", testRedelivery},
	{"ack through settles everything before", testAckThrough},
	{"acks out of order leave the rest in order", testAckHoles},
	{"what came back goes in front of what waited", testBackInFront},
}

// both runs a test on a classic and on a quorum queue.
func both(k *kit, test func(b amqpbus.Bus, queue string)) {
	b := k.bus(UserA)
	test(b, k.queue(b, amqpbus.Queue{Name: k.name("classic")}))
	test(b, k.queue(b, amqpbus.Queue{Name: k.name("quorum"), Quorum: true}))
}

func testAckedIsGone(k *kit) {
	both(k, func(b amqpbus.Bus, q string) {
		k.send(b, q, numbers(1, 5)...)
		c := k.consumer(b, q, 10)
		for _, d := range k.expect(c, numbers(1, 5)...) {
			k.noError(c.Ack(d), "ack")
		}
		// Close finishes the acks that were called.
		k.noError(c.Close(), "close")
		k.expectNothingElse(b, k.consumer(b, q, 10), q)
	})
}

func testRedelivery(k *kit) {
	both(k, func(b amqpbus.Bus, q string) {
		k.send(b, q, numbers(1, 20)...)
		c := k.consumer(b, q, 10)
		k.expect(c, numbers(1, 5)...)
		k.noError(c.Close(), "close")
		got := k.expect(k.consumer(b, q, 100), numbers(1, 20)...)
		for _, d := range got[:5] {
			if !d.Redelivered {
				k.Errorf("message %s is not marked as redelivered", d.Body)
			}
		}
		for _, d := range got[10:] { // beyond the prefetch nobody ever had them
			if d.Redelivered {
				k.Errorf("message %s is marked as redelivered", d.Body)
			}
		}
	})
}

func testAckThrough(k *kit) {
	both(k, func(b amqpbus.Bus, q string) {
		k.send(b, q, numbers(1, 6)...)
		c := k.consumer(b, q, 10)
		got := k.expect(c, numbers(1, 6)...)
		k.noError(c.AckThrough(got[1]), "ack through the second")
		k.noError(c.AckThrough(got[3]), "ack through the fourth")
		k.noError(c.Close(), "close")
		next := k.consumer(b, q, 10)
		k.expect(next, "5", "6")
		k.expectNothingElse(b, next, q)
	})
}

func testAckHoles(k *kit) {
	both(k, func(b amqpbus.Bus, q string) {
		k.send(b, q, numbers(1, 6)...)
		c := k.consumer(b, q, 10)
		got := k.expect(c, numbers(1, 6)...)
		for _, i := range []int{4, 0, 2} {
			k.noError(c.Ack(got[i]), "ack")
		}
		k.noError(c.Close(), "close")
		next := k.consumer(b, q, 10)
		k.expect(next, "2", "4", "6")
		k.expectNothingElse(b, next, q)
	})
}

func testBackInFront(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, numbers(1, 4)...)
	for range 3 { // again and again
		c := k.consumer(b, q, 2)
		k.expect(c, "1", "2")
		k.noError(c.Close(), "close")
	}
	k.send(b, q, "5")
	k.expect(k.consumer(b, q, 10), numbers(1, 5)...)
}
