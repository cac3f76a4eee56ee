package rabbit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

const patience = 30 * time.Second

func openBus(t *testing.T, o Options) amqpbus.Bus {
	t.Helper()
	o.Name = t.Name()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// foreigner publishes to a real broker what no library writes.
type foreigner struct {
	t   *testing.T
	url string
	raw *brokertest.Raw
}

func newForeigner(t *testing.T, url string) *foreigner {
	t.Helper()
	f := &foreigner{t: t, url: url}
	f.dial()
	t.Cleanup(func() { _ = f.raw.Close() })
	return f
}

func (f *foreigner) dial() {
	f.t.Helper()
	var err error
	if f.raw, err = brokertest.DialRaw(f.url); err != nil {
		f.t.Fatal(err)
	}
}

// publish reports whether the broker took the message; it ends the connection of
// who sends what it cannot read.
func (f *foreigner) publish(m brokertest.RawMessage) bool {
	f.t.Helper()
	err := f.raw.Publish(m)
	if err == nil {
		return true
	}
	f.t.Logf("the broker does not take %.20q: %v", m.Body, err)
	if err := f.raw.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.dial()
	return false
}

func consume(t *testing.T, b amqpbus.Bus, queue string) func() amqpbus.Delivery {
	t.Helper()
	con, err := b.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	return func() amqpbus.Delivery {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		got, err := con.Receive(ctx, 1)
		if err == nil {
			err = con.Ack(got[0])
		}
		if err != nil {
			t.Fatalf("a delivery from %s: %v", queue, err)
		}
		return got[0]
	}
}

func declare(t *testing.T, b amqpbus.Bus, queues ...amqpbus.Queue) {
	t.Helper()
	if err := b.Declare(t.Context(), amqpbus.Topology{Queues: queues}); err != nil {
		t.Fatal(err)
	}
}

// TestForeignHeaders sends every kind of header table through a real broker to
// one consumer, fresh and dead-lettered. The consumer lives on, each message
// arrives, and so do the headers beside what is odd.
func TestForeignHeaders(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declare(t, b, amqpbus.Queue{Name: "fresh"}, amqpbus.Queue{Name: "dead"}, amqpbus.Queue{Name: "dies", DeadLetterTo: "dead"})
	fresh, dead := consume(t, b, "fresh"), consume(t, b, "dead")
	f := newForeigner(t, n.URL("guest"))

	group := entry("group", text("job_events-1")...)
	type odd struct {
		name  string
		table []byte
		many  bool // so many entries that the broker's history may be left out
	}
	var cases []odd
	// Both versions know all of these but U and ?, and take 5,000 levels. They
	// wait a second when they end a connection, so not every octet is tried.
	for _, kind := range []byte("tbBsuIilLfdDTVSxAFU?") {
		value := bytes.Repeat([]byte{0x81}, max(int(fieldSize[kind])-1, 0))
		switch fieldSize[kind] {
		case prefixed:
			value = long(nil)
		case 0:
			value = make([]byte, 8)
		}
		cases = append(cases, odd{name: fmt.Sprintf("type %c", kind), table: entry("k", typed(kind, value)...)})
	}
	for _, kind := range []byte("FA") {
		for _, levels := range []int{maxDepth, maxDepth + 1, 40, 5000} {
			cases = append(cases, odd{name: fmt.Sprintf("%d levels of %c", levels, kind), table: entry("k", nested(kind, levels)...)})
		}
	}
	cases = append(cases,
		odd{name: "a list of 10,000", table: entry("k", typed('A', long(bytes.Repeat([]byte{'V'}, 10_000)))...)},
		odd{name: "8,191 entries", table: numbered(maxEntries - 1), many: true},
		odd{name: "10,000 entries", table: numbered(10_000), many: true},
		// As long as a frame may be: what the broker adds makes it longer.
		odd{name: "a large header", table: entry("k", text(strings.Repeat("x", f.raw.FrameMax()-100))...)},
		odd{name: "2,000 headers of 60 bytes", many: true, table: bytes.Repeat(entry("k", text(strings.Repeat("x", 53))...), 2000)},
	)
	var refused []string
	for _, c := range cases {
		table := slices.Concat(group, c.table)
		m := brokertest.RawMessage{Key: "fresh", Table: table, Body: []byte(c.name)}
		if !f.publish(m) {
			refused = append(refused, c.name)
			continue
		}
		if d := fresh(); string(d.Body) != c.name || d.Headers["group"] != "job_events-1" {
			t.Errorf("%s: arrived as %q with %.200q", c.name, d.Body, d.Headers)
		}
		m.Key, m.Expiration = "dies", time.Millisecond
		if !f.publish(m) {
			t.Fatalf("%s: taken without an expiration only", c.name)
		}
		d := dead()
		if string(d.Body) != c.name {
			t.Errorf("%s: died and arrived as %q", c.name, d.Body)
		}
		want := amqpbus.Death{Reason: "expired", Queue: "dies", Key: "dies", Times: 1}
		if c.many && d.Dead == nil {
			continue
		}
		if d.Dead == nil || *d.Dead != want || d.Headers["group"] != "job_events-1" {
			t.Errorf("%s: dead %+v, want %+v; headers %.200q", c.name, d.Dead, want, d.Headers)
		}
	}
	if want := []string{"type U", "type ?"}; !slices.Equal(refused, want) {
		t.Errorf("RabbitMQ %s refused %q, want %q", f.raw.Version(), refused, want)
	}
}

// died is an entry of x-death as a publisher may send it.
func died(queue, reason, key string, count int64) []byte {
	return typed('F', long(slices.Concat(
		entry("count", typed('l', binary.BigEndian.AppendUint64(nil, uint64(count)))...),
		entry("exchange", text("another")...), entry("queue", text(queue)...), entry("reason", text(reason)...),
		entry("routing-keys", typed('A', long(text(key)))...), entry("time", typed('T', make([]byte, 8))...))))
}

// believesHistories says that a broker goes on with an x-death that a publisher
// sent, as RabbitMQ did before 4.0.
func (f *foreigner) believesHistories() bool {
	f.t.Helper()
	major, _, _ := strings.Cut(f.raw.Version(), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		f.t.Fatalf("the broker says that its version is %q", f.raw.Version())
	}
	return n < 4
}

// TestDeathOfAMessageWithAHistory lets messages expire that were published with
// a history of their own.
func TestDeathOfAMessageWithAHistory(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declare(t, b, amqpbus.Queue{Name: "dead"}, amqpbus.Queue{Name: "classic", DeadLetterTo: "dead"},
		amqpbus.Queue{Name: "quorum", DeadLetterTo: "dead", Quorum: true})
	dead := consume(t, b, "dead")
	f := newForeigner(t, n.URL("guest"))
	for _, queue := range []string{"classic", "quorum"} {
		own := amqpbus.Death{Reason: "expired", Queue: queue, Key: queue, Times: 1}
		raised, unreadable := own, own
		if f.believesHistories() {
			raised = amqpbus.Death{Reason: "expired", Queue: queue, Exchange: "another", Key: "old", Times: 4}
			unreadable = amqpbus.Death{Reason: "expired", Queue: queue}
		}
		history := func(entries ...[]byte) []byte {
			return entry("x-death", typed('A', long(slices.Concat(entries...)))...)
		}
		for name, c := range map[string]struct {
			table []byte
			want  amqpbus.Death
		}{
			"none":                         {nil, own},
			"of another queue":             {history(died("other", "expired", "old", 1)), own},
			"of two queues":                {history(died("other", "expired", "old", 1), died("third", "rejected", "older", 2)), own},
			"of another reason":            {history(died(queue, "rejected", "old", 3)), own},
			"a text":                       {entry("x-death", text("nonsense")...), own},
			"with an L":                    {history(typed('F', long(slices.Concat(entry("queue", text("other")...), entry("n", 'L', 1, 2, 3, 4, 5, 6, 7, 8))))), own},
			"of this queue and reason":     {history(died("other", "rejected", "old", 7), died(queue, "expired", "old", 3)), raised},
			"of this queue, without a key": {history(typed('F', long(slices.Concat(entry("queue", text(queue)...), entry("reason", text("expired")...))))), unreadable},
		} {
			if !f.publish(brokertest.RawMessage{Key: queue, Table: c.table, Body: []byte(name), Expiration: time.Millisecond}) {
				t.Fatalf("%s: not taken", name)
			}
			if d := dead(); string(d.Body) != name || d.Dead == nil || *d.Dead != c.want {
				t.Errorf("%s queue, a history %s: dead %+v of %q, want %+v", queue, name, d.Dead, d.Body, c.want)
			}
		}
	}
}

// TestSilentBrokerIsNoticed stops a broker without a word: the deadlines that
// the library sets for heartbeats reach the socket.
func TestSilentBrokerIsNoticed(t *testing.T) {
	n := brokertest.Start(t)
	b := openBus(t, Options{URL: n.URL("guest"), Heartbeat: time.Second})
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected })
	n.Pause()
	defer n.Resume()
	h := healthy(t, b, func(h amqpbus.Health) bool { return !h.Connected })
	if !errors.Is(h.Err, amqpbus.ErrLinkLost) {
		t.Errorf("not connected: %v", h.Err)
	}
	n.Resume()
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected })
}

// healthy waits until the bus's health is as wanted.
func healthy(t *testing.T, b amqpbus.Bus, is func(amqpbus.Health) bool) amqpbus.Health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		changed := b.Changed()
		h := b.Health()
		if is(h) {
			return h
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the bus's health stays %+v", h)
		}
	}
}
