package bustest

import (
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
)

var expiryContracts = []contract{
	{"an expired message is dead-lettered with its history", testDeadLetter},
	{"a message that died twice tells of the second time", testDiedTwice},
	{"an expired message without a dead-letter queue is gone", testExpiredGone},
	{"a message with a consumer does not expire", testDeliveredStays},
	{"an unused queue goes, one with a consumer stays", testUnusedQueue},
}

func testDeadLetter(k *kit) {
	b := k.bus(UserB)
	x, q, dead := k.name("topic"), k.name("queue"), k.name("dead")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "topic"}},
		Queues:    []amqpbus.Queue{{Name: dead}, {Name: q, DeadLetterTo: dead, SingleActiveConsumer: true}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: q, Key: "#"}},
	})
	m := amqpbus.Message{
		Exchange: x, Key: "jobs-1", ID: "an id", Type: "a type", Headers: map[string]string{"group": "jobs-1"},
		Expiration: 100 * time.Millisecond, Mandatory: true,
	}
	var messages []amqpbus.Message
	for _, body := range numbers(1, 3) {
		m.Body = []byte(body)
		messages = append(messages, m)
	}
	m.Expiration, m.Body = 0, []byte("stays")
	k.confirmed(b, append(messages, m)...)
	for _, d := range k.expect(k.consumer(b, dead, 10), "1", "2", "3") {
		want := amqpbus.Death{Reason: "expired", Queue: q, Exchange: x, Key: "jobs-1", Times: 1}
		if d.Dead == nil || *d.Dead != want {
			k.Errorf("message %s: dead %+v, want %+v", d.Body, d.Dead, want)
		}
		if d.ID != m.ID || d.Type != m.Type || d.Headers["group"] != "jobs-1" || d.UserID != UserB || d.Expiration != 0 {
			k.Errorf("the dead letter arrived as %+v of %q", d.Message, d.UserID)
		}
	}
	c := k.consumer(b, q, 10)
	if d := k.expect(c, "stays")[0]; d.Dead != nil {
		k.Errorf("a message that did not die has a death: %+v", d.Dead)
	}
}

func testDiedTwice(k *kit) {
	b := k.bus(UserA)
	first, second, third := k.name("first"), k.name("second"), k.name("third")
	k.declare(b, amqpbus.Topology{Queues: []amqpbus.Queue{
		{Name: third}, {Name: second, MaxLength: 1, DropHead: true, DeadLetterTo: third}, {Name: first, DeadLetterTo: second},
	}})
	k.confirmed(b,
		amqpbus.Message{Key: first, Expiration: 10 * time.Millisecond, Body: []byte("1")},
		amqpbus.Message{Key: first, Expiration: 10 * time.Millisecond, Body: []byte("2")})
	d := k.expect(k.consumer(b, third, 10), "1")[0]
	want := amqpbus.Death{Reason: "maxlen", Queue: second, Key: second, Times: 1}
	if d.Dead == nil || *d.Dead != want {
		k.Errorf("dead %+v, want %+v", d.Dead, want)
	}
	d = k.expect(k.consumer(b, second, 10), "2")[0]
	want = amqpbus.Death{Reason: "expired", Queue: first, Key: first, Times: 1}
	if d.Dead == nil || *d.Dead != want {
		k.Errorf("dead %+v, want %+v", d.Dead, want)
	}
}

func testExpiredGone(k *kit) {
	b := k.bus(UserA)
	q, clock := k.name("queue"), k.name("clock")
	k.declare(b, amqpbus.Topology{Queues: []amqpbus.Queue{
		{Name: q}, {Name: k.name("over")}, {Name: clock, DeadLetterTo: k.name("over")},
	}})
	k.confirmed(b,
		amqpbus.Message{Key: q, Expiration: 10 * time.Millisecond, Body: []byte("expires")},
		amqpbus.Message{Key: q, Body: []byte("stays")},
		amqpbus.Message{Key: clock, Expiration: 300 * time.Millisecond, Body: []byte("time is over")})
	k.expect(k.consumer(b, k.name("over"), 1), "time is over")
	k.expect(k.consumer(b, q, 10), "stays")
}

func testDeliveredStays(k *kit) {
	b := k.bus(UserA)
	q, dead := k.name("queue"), k.name("dead")
	k.declare(b, amqpbus.Topology{Queues: []amqpbus.Queue{{Name: dead}, {Name: q, DeadLetterTo: dead}}})
	c := k.consumer(b, q, 1)
	k.confirmed(b,
		amqpbus.Message{Key: q, Expiration: 5 * time.Second, Body: []byte("in hand")},
		amqpbus.Message{Key: q, Expiration: 100 * time.Millisecond, Body: []byte("waits in vain")})
	k.expect(c, "in hand")
	k.expect(k.consumer(b, dead, 10), "waits in vain")
}

func testUnusedQueue(k *kit) {
	b := k.bus(UserA)
	used := k.queue(b, amqpbus.Queue{Name: k.name("used"), Expires: 600 * time.Millisecond})
	c := k.consumer(b, used, 100)
	unused := k.queue(b, amqpbus.Queue{Name: k.name("unused"), Expires: 600 * time.Millisecond})
	p := k.publisher(b, 10)
	n := 0
	// Publishing alone does not keep it.
	k.eventually("the unused queue goes", func() bool {
		n++
		err := k.publish(p, to(unused, fmt.Sprint(n))...)[0]
		if err != nil && !errors.Is(err, amqpbus.ErrUnroutable) {
			k.Fatalf("publish: %v", err)
		}
		return err != nil
	})
	if n == 1 {
		k.Error("the unused queue went at once")
	}
	k.noError(k.publish(p, to(used, "still there")...)[0], "publish to the used queue")
	k.expect(c, "still there")
}
