package bustest

import (
	"slices"
	"time"

	"belfry/pkg/amqpbus"
)

var boundContracts = []contract{
	{"a message out of bounds is not sent and ends nothing", testMessageBounds},
	{"strings of 255 bytes pass", testLongest},
	{"a queue full of messages refuses and takes again later", testFullLength},
	{"a queue full of bytes refuses", testFullBytes},
	{"one full queue of two refuses, the other has the message", testOneFull},
	{"drop-head lets the oldest go", testDropHead},
}

func testMessageBounds(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	p := k.publisher(b, 10)
	for name, m := range map[string]amqpbus.Message{
		"key":                   {Key: long(256)},
		"exchange":              {Exchange: long(256)},
		"type":                  {Key: q, Type: long(256)},
		"id":                    {Key: q, ID: long(256)},
		"reply-to":              {Key: q, ReplyTo: long(256)},
		"header key":            {Key: q, Headers: map[string]string{long(256): ""}},
		"negative expiration":   {Key: q, Expiration: -time.Second},
		"part of a millisecond": {Key: q, Expiration: 1500 * time.Microsecond},
	} {
		err := p.Publish(k.ctx, m, func(error) { k.Errorf("%s: done was called", name) })
		k.wantError(err, amqpbus.ErrMessage, name)
	}
	k.noError(k.publish(p, to(q, "still works")...)[0], "publish after the errors")
	k.expect(k.consumer(b, q, 10), "still works")
}

func testLongest(k *kit) {
	b := k.bus(UserA)
	x, q := k.name("fanout"), k.name("queue")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "fanout"}},
		Queues:    []amqpbus.Queue{{Name: q}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: q}},
	})
	m := amqpbus.Message{
		Exchange: x, Key: long(255), Type: long(255), ID: long(255), ReplyTo: long(255),
		Headers: map[string]string{long(255): long(1000)}, Mandatory: true,
	}
	k.confirmed(b, m)
	d := k.receive(k.consumer(b, q, 10), 1, 1)[0]
	if d.Key != m.Key || d.Type != m.Type || d.ID != m.ID || d.ReplyTo != m.ReplyTo || d.Headers[long(255)] != long(1000) {
		k.Errorf("received %+v", d.Message)
	}
}

func testFullLength(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{MaxLength: 3})
	p := k.publisher(b, 10)
	got := k.publish(p, to(q, numbers(1, 5)...)...)
	for i := range 3 {
		k.noError(got[i], "a message that fits")
	}
	k.wantError(got[3], amqpbus.ErrRefused, "the fourth of three")
	k.wantError(got[4], amqpbus.ErrRefused, "the fifth of three")
	c := k.consumer(b, q, 10)
	k.expect(c, "1", "2", "3")
	// Only ready messages count: the three are unacked now.
	k.noError(k.publish(p, to(q, "6")...)[0], "publish when there is room again")
	k.expect(c, "6")
}

func testFullBytes(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{MaxBytes: 1000})
	got := k.publish(k.publisher(b, 10), to(q, long(400), long(400), long(400))...)
	k.noError(got[0], "400 of 1,000 bytes")
	k.noError(got[1], "800 of 1,000 bytes")
	k.wantError(got[2], amqpbus.ErrRefused, "1,200 of 1,000 bytes")
}

func testOneFull(k *kit) {
	b := k.bus(UserA)
	x, full, free := k.name("fanout"), k.name("full"), k.name("free")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "fanout"}},
		Queues:    []amqpbus.Queue{{Name: full, MaxLength: 1}, {Name: free}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: full}, {Exchange: x, Queue: free}},
	})
	k.send(b, full, "fills it")
	got := k.publish(k.publisher(b, 10), amqpbus.Message{Exchange: x, Mandatory: true, Body: []byte("half")})
	k.wantError(got[0], amqpbus.ErrRefused, "outcome")
	k.expect(k.consumer(b, free, 10), "half")
}

func testDropHead(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{MaxLength: 3, DropHead: true})
	k.send(b, q, numbers(1, 7)...)
	c := k.consumer(b, q, 10)
	got := k.receive(c, 3, 3)
	if !slices.Equal(texts(got), []string{"5", "6", "7"}) {
		k.Fatalf("received %q, want the last three", texts(got))
	}
	k.expectNothingElse(b, c, q)
}
