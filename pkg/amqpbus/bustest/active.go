package bustest

import "belfry/pkg/amqpbus"

var activeContracts = []contract{
	{"only the first consumer is served", testOneActive},
	{"closing hands over in order", testHandOver},
	{"a closed bus hands over in order", testHandOverByBus},
	{"the next in the order of consuming is promoted", testPromotion},
	{"hand-over under way keeps the order", testHandOverFlow},
}

// sac runs a test on a classic and on a quorum queue with a single active consumer.
func sac(k *kit, test func(b amqpbus.Bus, queue string)) {
	b := k.bus(UserA)
	test(b, k.queue(b, amqpbus.Queue{Name: k.name("classic"), SingleActiveConsumer: true}))
	test(b, k.queue(b, amqpbus.Queue{Name: k.name("quorum"), SingleActiveConsumer: true, Quorum: true}))
}

func testOneActive(k *kit) {
	sac(k, func(b amqpbus.Bus, q string) {
		first, second := k.consumer(b, q, 2), k.consumer(k.bus(UserB), q, 2)
		k.send(b, q, numbers(1, 3)...)
		got := k.expect(first, "1", "2")
		k.expectQuiet(second) // although the first has no room
		k.noError(first.AckThrough(got[1]), "ack")
		k.expect(first, "3")
	})
}

func testHandOver(k *kit) {
	sac(k, func(b amqpbus.Bus, q string) {
		first, second := k.consumer(b, q, 5), k.consumer(k.bus(UserB), q, 100)
		k.send(b, q, numbers(1, 10)...)
		got := k.expect(first, numbers(1, 5)...)
		k.noError(first.AckThrough(got[1]), "ack")
		k.noError(first.Close(), "close")
		after := k.expect(second, numbers(3, 10)...)
		for _, d := range after[:3] {
			if !d.Redelivered {
				k.Errorf("message %s is not marked as redelivered", d.Body)
			}
		}
	})
}

func testHandOverByBus(k *kit) {
	sac(k, func(b amqpbus.Bus, q string) {
		dying := k.bus(UserB)
		first, second := k.consumer(dying, q, 5), k.consumer(b, q, 100)
		k.send(b, q, numbers(1, 10)...)
		k.expect(first, numbers(1, 4)...)
		k.noError(dying.Close(k.ctx), "close the bus")
		k.expect(second, numbers(1, 10)...)
	})
}

func testPromotion(k *kit) {
	sac(k, func(b amqpbus.Bus, q string) {
		var line []amqpbus.Consumer
		for range 4 {
			line = append(line, k.consumer(b, q, 1))
		}
		k.noError(line[2].Close(), "close one that waits")
		for _, next := range []int{0, 1, 3} {
			k.send(b, q, "for the active one")
			got := k.expect(line[next], "for the active one")
			k.noError(line[next].Ack(got[0]), "ack")
			k.noError(line[next].Close(), "close")
		}
	})
}

// testHandOverFlow takes a queue through many hands while it is being filled.
func testHandOverFlow(k *kit) {
	sac(k, func(b amqpbus.Bus, q string) {
		const n = 1000
		p := k.publisher(b, 100)
		go func() {
			for _, m := range to(q, numbers(1, n)...) {
				if err := p.Publish(k.ctx, m, nil); err != nil {
					k.Errorf("publish: %v", err)
					return
				}
			}
		}()
		at := 1 // the next one that was not acked
		current := k.consumer(b, q, 50)
		for at <= n {
			next := k.consumer(b, q, 50)
			count := min(30, n+1-at)
			got := k.expect(current, numbers(at, at+count-1)...)
			acked := (count + 1) / 2
			k.noError(current.AckThrough(got[acked-1]), "ack")
			at += acked
			k.noError(current.Close(), "close")
			current = next
		}
	})
}
