package bustest

import "belfry/pkg/amqpbus"

// A baton is the newest message of a queue with one place and a single active
// consumer. Who holds it is the only one, for as long as its channel lives.
var batonContracts = []contract{
	{"one holds it, and holds the newest of those that were put in", testBatonHeld},
	{"leaving hands it over", testBatonLeft},
	{"it survives more hand-overs than a broker's own bound", testBatonSurvives},
}

// batons runs a test on a classic queue, as on a single node, and on a quorum queue.
func batons(k *kit, test func(b amqpbus.Bus, queue string)) {
	b := k.bus(UserA)
	for _, l := range []amqpbus.Layout{{Shards: 1}, {Shards: 1, Quorum: true}} {
		for _, q := range amqpbus.LogTopology(l).Queues {
			if !q.Stream {
				q.Name = k.name("baton")
				if l.Quorum {
					q.Name = k.name("baton.quorum")
				}
				test(b, k.queue(b, q))
			}
		}
	}
}

func testBatonHeld(k *kit) {
	batons(k, func(b amqpbus.Bus, q string) {
		holder, other := k.consumer(b, q, 2), k.consumer(k.bus(UserB), q, 2)
		k.send(b, q, "1")
		older := k.expect(holder, "1")[0]
		for _, renewed := range []string{"2", "3", "4"} {
			k.send(b, q, renewed)
			newer := k.expect(holder, renewed)[0]
			k.noError(holder.Ack(older), "ack the older one")
			older = newer
		}
		k.send(b, q, "5")
		k.expect(holder, "5") // now it has no room
		k.send(b, q, numbers(6, 9)...)
		k.expectQuiet(other)
		k.noError(holder.Ack(older), "ack the older one")
		k.expect(holder, "9")
	})
}

func testBatonLeft(k *kit) {
	batons(k, func(b amqpbus.Bus, q string) {
		holder, other := k.consumer(b, q, 2), k.consumer(k.bus(UserB), q, 2)
		k.send(b, q, "1")
		k.expect(holder, "1")
		k.noError(holder.Close(), "leave")
		d := k.expect(other, "1")[0]
		back := k.consumer(b, q, 2)
		k.noError(other.Ack(d), "ack")
		k.send(b, q, "2") // it stays with who acked it and holds none
		k.expect(other, "2")
		k.expectQuiet(back)
	})
}

func testBatonSurvives(k *kit) {
	batons(k, func(b amqpbus.Bus, q string) {
		k.send(b, q, "baton")
		for range 25 { // RabbitMQ 4 drops a message that came back 20 times
			c := k.consumer(b, q, 2)
			k.expect(c, "baton")
			k.noError(c.Close(), "leave")
		}
	})
}
