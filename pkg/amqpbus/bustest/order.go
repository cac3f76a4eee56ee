package bustest

import (
	"fmt"
	"slices"
	"sync"

	"belfry/pkg/amqpbus"
)

var orderContracts = []contract{
	{"a queue keeps a publisher's order", testOrder},
	{"direct and fanout from one publisher arrive in the order sent", testDirectAndFanout},
	{"each of several publishers is in order", testManyPublishers},
	{"outcomes come in the order of publishing, one at a time", testDoneOrder},
	{"receive gives at most max, oldest first, tags counting", testReceiveMax},
}

func testOrder(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, numbers(1, 500)...)
	c := k.consumer(b, q, 50)
	var got []string
	for len(got) < 500 {
		d := k.receive(c, 1, 7)
		got = append(got, texts(d)...)
		k.noError(c.AckThrough(d[len(d)-1]), "ack")
	}
	if want := numbers(1, 500); !slices.Equal(got, want) {
		k.Fatalf("received out of order: %q", got)
	}
}

func testDirectAndFanout(k *kit) {
	b := k.bus(UserA)
	direct, fanout, topic, q := k.name("direct"), k.name("fanout"), k.name("topic"), k.name("queue")
	k.declare(b, amqpbus.Topology{
		Exchanges: []amqpbus.Exchange{{Name: direct, Kind: "direct"}, {Name: fanout, Kind: "fanout"}, {Name: topic, Kind: "topic"}},
		Queues:    []amqpbus.Queue{{Name: q}, {Name: q + ".other"}},
		Bindings: []amqpbus.Binding{
			{Exchange: direct, Queue: q, Key: "me"}, {Exchange: fanout, Queue: q},
			{Exchange: fanout, Queue: q + ".other"}, {Exchange: topic, Queue: q, Key: "#"},
		},
	})
	c := k.consumer(b, q, 1000)
	var messages []amqpbus.Message
	for i, body := range numbers(1, 400) {
		m := amqpbus.Message{Exchange: []string{direct, fanout, "", topic}[i%4], Key: "me", Mandatory: true, Body: []byte(body)}
		if m.Exchange == "" {
			m.Key = q
		}
		messages = append(messages, m)
	}
	k.confirmed(b, messages...)
	k.expect(c, numbers(1, 400)...)
}

func testManyPublishers(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	var wg sync.WaitGroup
	const publishers, each = 4, 100
	for n := range publishers {
		p := k.publisher(b, 10)
		wg.Go(func() {
			for i := range each {
				m := amqpbus.Message{Key: q, ID: fmt.Sprint(n), Body: []byte(fmt.Sprint(i))}
				if err := p.Publish(k.ctx, m, nil); err != nil {
					k.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	next := map[string]int{}
	for _, d := range k.receive(k.consumer(b, q, 1000), publishers*each, 100) {
		if string(d.Body) != fmt.Sprint(next[d.ID]) {
			k.Fatalf("publisher %s: received %s, want %d", d.ID, d.Body, next[d.ID])
		}
		next[d.ID]++
	}
}

func testDoneOrder(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	full := k.queue(b, amqpbus.Queue{Name: k.name("full"), MaxLength: 1})
	k.send(b, full, "fills it")
	p := k.publisher(b, 20)
	kinds := []struct {
		key  string
		want error
	}{{q, nil}, {k.name("nobody"), amqpbus.ErrUnroutable}, {q, nil}, {full, amqpbus.ErrRefused}}
	var o outcomes
	last := make(chan error, 1)
	const n = 300
	for i := range n {
		done := o.done(i)
		if i == n-1 {
			done = func(err error) { o.done(i)(err); last <- nil }
		}
		m := amqpbus.Message{Key: kinds[i%len(kinds)].key, Mandatory: true, Body: []byte("x")}
		k.noError(p.Publish(k.ctx, m, done), "publish")
	}
	k.noError(k.await(last, "the last outcome"), "wait")
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.twice || !slices.IsSorted(o.order) || len(o.order) != n {
		k.Fatalf("%d outcomes, two at once %v, order %v", len(o.order), o.twice, o.order)
	}
	for i, err := range o.errs {
		if want := kinds[i%len(kinds)].want; want == nil && err != nil {
			k.Errorf("message %d: %v, want a confirm", i, err)
		} else if want != nil {
			k.wantError(err, want, fmt.Sprintf("message %d", i))
		}
	}
}

func testReceiveMax(k *kit) {
	b := k.bus(UserA)
	q := k.queue(b, amqpbus.Queue{})
	k.send(b, q, numbers(1, 40)...)
	c := k.consumer(b, q, 100)
	got := k.receive(c, 40, 9) // fails where Receive gives more than 9
	if !slices.Equal(texts(got), numbers(1, 40)) {
		k.Fatalf("received %q", texts(got))
	}
	for i, d := range got {
		if d.Tag != uint64(i+1) || d.Redelivered {
			k.Fatalf("delivery %d: tag %d, redelivered %v", i, d.Tag, d.Redelivered)
		}
	}
}
