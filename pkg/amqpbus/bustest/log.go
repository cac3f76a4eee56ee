package bustest

import (
	"maps"

	"belfry/pkg/amqpbus"
)

var logContracts = []contract{
	{"an entry keeps what was published", testEntry},
	{"a log is filled through exchanges like a queue", testLogBindings},
	{"everybody reads everything", testManyReaders},
	{"a log takes more than any queue and refuses nothing", testLogTakes},
	{"to declare it again changes nothing", testLogAgain},
	{"a log has no other arguments and no other kind", testLogKinds},
	{"offsets have holes of one where a segment begins", testLogHoles},
	{"declared again it begins anew", testLogAnew},
}

func testEntry(k *kit) {
	b := k.bus(UserA)
	log, x := k.log(b), k.name("topic")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "topic"}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: log, Key: "#"}},
	})
	m := amqpbus.Message{
		Exchange: x, Key: "jobs-7", Type: "kind", ID: "id", ReplyTo: "somebody", Timestamp: 1_700_000_000,
		Headers: map[string]string{"group": "jobs-7", "traceparent": "00-1-2-3"}, Mandatory: true, Body: []byte("text"),
	}
	k.confirmed(b, m)
	e := k.entries(k.reader(k.bus(UserB), log, 0), 1, 1)[0]
	if e.Exchange != x || e.Key != m.Key || e.Type != m.Type || e.ID != m.ID || e.ReplyTo != m.ReplyTo ||
		e.Timestamp != m.Timestamp || !maps.Equal(e.Headers, m.Headers) || string(e.Body) != "text" || e.UserID != UserA {
		k.Errorf("read %+v", e)
	}
	if e.Offset != 0 {
		k.Errorf("the first entry of a log has offset %d", e.Offset)
	}
}

func testLogBindings(k *kit) {
	b := k.bus(UserA)
	log, x := k.log(b), k.name("direct")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: x, Kind: "direct"}},
		Bindings:  []amqpbus.Binding{{Exchange: x, Queue: log, Key: "0"}},
	})
	k.confirmed(b, amqpbus.Message{Exchange: x, Key: "0", Mandatory: true, Body: []byte("routed")})
	got := k.publish(k.publisher(b, 10), amqpbus.Message{Exchange: x, Key: "1", Mandatory: true, Body: []byte("nowhere")})
	k.wantError(got[0], amqpbus.ErrUnroutable, "a key that no log has")
	k.send(b, log, "the last")
	k.expectEntries(k.reader(b, log, 0), "routed", "the last")
}

func testManyReaders(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(1, 20)...)
	first := k.reader(b, log, 0)
	k.expectEntries(first, numbers(1, 20)...)
	second := k.reader(k.bus(UserB), log, 0)
	k.expectEntries(second, numbers(1, 20)...)
	k.send(b, log, "more")
	k.expectEntries(first, "more")
	k.expectEntries(second, "more")
	k.expectEntries(k.reader(b, log, 0), append(numbers(1, 20), "more")...)
}

func testLogTakes(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(1, 3000)...)
	k.expectEntries(k.reader(b, log, 0), numbers(1, 3000)...)
}

func testLogAgain(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, "stays")
	k.noError(k.bus(UserB).Declare(k.ctx, amqpbus.Topology{Queues: []amqpbus.Queue{{Name: log, Stream: true}}}), "declare again")
	k.expectEntries(k.reader(b, log, 0), "stays")
}

func testLogKinds(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	queue := k.queue(b, amqpbus.Queue{Name: k.name("classic")})
	for _, q := range []amqpbus.Queue{{Name: log}, {Name: queue, Stream: true}} {
		err := b.Declare(k.ctx, amqpbus.Topology{Queues: []amqpbus.Queue{q}})
		k.wantError(err, amqpbus.ErrArguments, "declare as another kind")
	}
	err := b.Declare(k.ctx, amqpbus.Topology{Queues: []amqpbus.Queue{{Name: k.name("bounded"), Stream: true, MaxLength: 5}}})
	if err == nil {
		k.Error("a log was declared with a bound of its length")
	}
	r, err := b.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: queue})
	if err == nil { // a broker finds out when it delivers
		k.send(b, queue, "no entry")
		err = k.end(r)
		k.noError(r.Close(), "close")
	}
	k.wantError(err, amqpbus.ErrLogRefused, "read a queue as a log")
}

// testLogHoles writes some segments, one entry at a time: a broker writes those that
// come together as one chunk, however long the segment becomes.
func testLogHoles(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	const n = 60
	for range n {
		k.send(b, log, long(64<<10))
	}
	got := k.entries(k.reader(b, log, 0), n, n)
	holes := 0
	for i := 1; i < n; i++ {
		switch step := got[i].Offset - got[i-1].Offset; step {
		case 1:
		case 2:
			holes++
		default:
			k.Errorf("offset %d comes behind %d", got[i].Offset, got[i-1].Offset)
		}
	}
	if holes < 2 || holes > 6 {
		k.Errorf("%d holes in almost four segments", holes)
	}
	for i := 1; i < n; i++ { // asked for a hole: the next one
		if hole := got[i].Offset - 1; hole != got[i-1].Offset {
			if e := k.entries(k.reader(b, log, hole), 1, 1)[0]; e.Offset != hole+1 {
				k.Errorf("a reader at the hole %d begins at %d", hole, e.Offset)
			}
			return
		}
	}
}

func testLogAnew(k *kit) {
	b := k.bus(UserA)
	log := k.log(b)
	k.send(b, log, numbers(1, 5)...)
	r := k.reader(b, log, 0)
	k.expectEntries(r, numbers(1, 5)...)
	k.noError(b.Delete(k.ctx, log), "delete")
	k.wantError(k.end(r), amqpbus.ErrLogGone, "read a deleted log")
	_, err := b.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: log})
	k.wantError(err, amqpbus.ErrLogGone, "open a deleted log")
	k.queue(b, amqpbus.Queue{Name: log, Stream: true})
	k.send(b, log, "another")
	k.expectNoEntry(k.reader(b, log, 4)) // beyond the end, and nobody says so
	if got := k.expectEntries(k.reader(b, log, 0), "another"); got[0].Offset != 0 {
		k.Errorf("the first entry of the new log has offset %d", got[0].Offset)
	}
}
