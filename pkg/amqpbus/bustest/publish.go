package bustest

import (
	"bytes"
	"context"
	"strings"
	"time"

	"belfry/pkg/amqpbus"
)

var publishContracts = []contract{
	{"properties and body arrive as sent, with the user", testProperties},
	{"a message with more headers than are read arrives, and the next one", testManyHeaders},
	{"topic bindings know star and hash", testTopic},
	{"a mandatory message without a queue is unroutable", testMandatory},
	{"an exchange that does not exist ends the publisher", testNoExchange},
	{"a message goes once to a queue that is bound twice", testBoundTwice},
	{"the context of a publish is honoured", testPublishContext},
	{"a small window confirms everything", testWindow},
}

func testProperties(k *kit) {
	a, b := k.bus(UserA), k.bus(UserB)
	q, x := k.name("queue"), k.name("exchange")
	k.declare(a, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "direct"}},
		Queues:    []amqpbus.Queue{{Name: q}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: q, Key: "the key"}},
	})
	c := k.consumer(a, q, 10)
	full := amqpbus.Message{
		Exchange: x, Key: "the key", Type: "a type", ID: "an id", ReplyTo: "someone",
		Headers: map[string]string{"group": "jobs-é", "empty": ""}, Expiration: 90 * time.Second,
		Persistent: true, Mandatory: true, Body: []byte{0, 1, 0xff, '\n'},
	}
	k.confirmed(b, full, amqpbus.Message{Key: q}, amqpbus.Message{Key: q, Body: bytes.Repeat([]byte("x"), 1<<20)})
	got := k.receive(c, 3, 3)
	d := got[0]
	if d.Exchange != full.Exchange || d.Key != full.Key || d.Type != full.Type || d.ID != full.ID || d.ReplyTo != full.ReplyTo ||
		d.Expiration != full.Expiration || !d.Persistent || !bytes.Equal(d.Body, full.Body) {
		k.Errorf("received %+v, want %+v", d.Message, full)
	}
	if len(d.Headers) != 2 || d.Headers["group"] != "jobs-é" || d.Headers["empty"] != "" {
		k.Errorf("headers %q", d.Headers)
	}
	if d.UserID != UserB || b.User() != UserB || d.Dead != nil || d.Redelivered {
		k.Errorf("user %q of %q, dead %v, redelivered %v", d.UserID, b.User(), d.Dead, d.Redelivered)
	}
	if d := got[1]; len(d.Body) != 0 || len(d.Headers) != 0 || d.Expiration != 0 || d.Persistent || d.Exchange != "" || d.Key != q {
		k.Errorf("the plain message arrived as %+v", d.Message)
	}
	if d := got[2]; len(d.Body) != 1<<20 {
		k.Errorf("the large body has %d bytes", len(d.Body))
	}
}

// testManyHeaders sends more headers than RabbitMQ's library reads. How many are
// shown is not promised.
func testManyHeaders(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	many := amqpbus.Message{Key: q, ID: "an id", Headers: map[string]string{}, Body: []byte("many")}
	for _, name := range numbers(1, 9000) {
		many.Headers[name] = "x"
	}
	k.confirmed(b, many, to(q, "next")[0])
	got := k.expect(k.consumer(b, q, 10), "many", "next")
	if got[0].ID != many.ID || len(got[0].Headers) == 0 {
		k.Errorf("%d headers arrived, id %q", len(got[0].Headers), got[0].ID)
	}
	for name, value := range got[0].Headers {
		if many.Headers[name] != value {
			k.Errorf("header %q: %q was not sent", name, value)
		}
	}
}

func testTopic(k *kit) {
	b := k.bus(UserA)
	x := k.name("topic")
	bound := map[string]string{"star": "a.*", "hash": "a.#", "all": "#", "exact": "a.b", "inner": "a.#.z"}
	t := amqpbus.Topology{Exchanges: []amqpbus.Exchange{{Name: x, Kind: "topic"}}}
	for name, key := range bound {
		t.Queues = append(t.Queues, amqpbus.Queue{Name: k.name(name)})
		t.Bindings = append(t.Bindings, amqpbus.Binding{Exchange: x, Queue: k.name(name), Key: key})
	}
	k.declare(b, t)
	var messages []amqpbus.Message
	for _, key := range []string{"a", "a.b", "a.c.z", "a.z", "b", "", "jobs-status.changed"} {
		messages = append(messages, amqpbus.Message{Exchange: x, Key: key, Body: []byte(key)})
	}
	k.confirmed(b, messages...)
	for name, want := range map[string][]string{
		"star": {"a.b", "a.z"}, "hash": {"a", "a.b", "a.c.z", "a.z"}, "exact": {"a.b"}, "inner": {"a.c.z", "a.z"},
		"all": {"a", "a.b", "a.c.z", "a.z", "b", "", "jobs-status.changed"},
	} {
		c := k.consumer(b, k.name(name), 100)
		k.expect(c, want...)
		k.expectNothingElse(b, c, k.name(name))
	}
}

func testMandatory(k *kit) {
	b := k.bus(UserA)
	x := k.name("exchange")
	k.declare(b, amqpbus.Topology{Exchanges: []amqpbus.Exchange{{Name: x, Kind: "direct"}}})
	got := k.publish(k.publisher(b, 10),
		amqpbus.Message{Key: k.name("nobody"), Mandatory: true},
		amqpbus.Message{Exchange: x, Key: "nobody", Mandatory: true},
		amqpbus.Message{Key: k.name("nobody")},
		amqpbus.Message{Exchange: x, Key: "nobody"})
	k.wantError(got[0], amqpbus.ErrUnroutable, "mandatory to a queue that is missing")
	k.wantError(got[1], amqpbus.ErrUnroutable, "mandatory to a key that is not bound")
	k.noError(got[2], "not mandatory, queue missing")
	k.noError(got[3], "not mandatory, key not bound")
}

func testNoExchange(k *kit) {
	b := k.bus(UserA)
	p := k.publisher(b, 10)
	got := k.publish(p, amqpbus.Message{Exchange: k.name("nowhere"), Key: "x"})
	k.wantError(got[0], amqpbus.ErrLinkLost, "outcome")
	k.awaitClosed(p.Done(), "the publisher's end")
	k.wantError(p.Publish(k.ctx, amqpbus.Message{Key: "x"}, nil), amqpbus.ErrLinkLost, "publish after the end")
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, "the next publisher works")
}

func testBoundTwice(k *kit) {
	b := k.bus(UserA)
	q, x := k.name("queue"), k.name("exchange")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "topic"}},
		Queues:    []amqpbus.Queue{{Name: q}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: q, Key: "#"}, {Exchange: x, Queue: q, Key: "a.*"}},
	})
	k.confirmed(b, amqpbus.Message{Exchange: x, Key: "a.b", Body: []byte("once")})
	c := k.consumer(b, q, 10)
	k.expect(c, "once")
	k.expectNothingElse(b, c, q)
}

func testPublishContext(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	p := k.publisher(b, 10)
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	err := p.Publish(ended, amqpbus.Message{Key: q, Body: []byte("never")}, func(error) { k.Error("done was called") })
	k.wantError(err, context.Canceled, "publish with an ended context")
	c := k.consumer(b, q, 10)
	k.expectNothingElse(b, c, q)
}

func testWindow(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	for i, err := range k.publish(k.publisher(b, 3), to(q, numbers(1, 200)...)...) {
		if err != nil {
			k.Fatalf("message %d: %v", i, err)
		}
	}
	if _, err := b.OpenPublisher(k.ctx, 0); err == nil {
		k.Error("a window of 0 was accepted")
	}
	if _, err := b.OpenPublisher(k.ctx, 1001); err == nil {
		k.Error("a window of 1,001 was accepted")
	}
}

// long is a text of n bytes.
func long(n int) string { return strings.Repeat("x", n) }
