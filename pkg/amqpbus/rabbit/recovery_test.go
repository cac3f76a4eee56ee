package rabbit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
)

const patience = 30 * time.Second

// until waits until the bus's health is as wanted.
func until(t *testing.T, b amqpbus.Bus, what string, is func(amqpbus.Health) bool) amqpbus.Health {
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
			t.Fatalf("the bus was never %s: %+v", what, h)
		}
	}
}

func connected(h amqpbus.Health) bool { return h.Connected }

// verdicts collects what became of publishes, in the order of done.
type verdicts struct {
	mu  sync.Mutex
	all []verdict
}

type verdict struct {
	n   int
	err error
}

func (v *verdicts) done(n int) func(error) {
	return func(err error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.all = append(v.all, verdict{n, err})
	}
}

// once checks that every publish up to count had one verdict, in order.
func (v *verdicts) once(t *testing.T, count int) []verdict {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.all) != count {
		t.Fatalf("%d verdicts for %d publishes", len(v.all), count)
	}
	for i, x := range v.all {
		if x.n != i {
			t.Fatalf("verdict %d is of publish %d", i, x.n)
		}
	}
	return v.all
}

func ended(t *testing.T, p amqpbus.Publisher) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the publisher did not end")
	}
}

func queue(t *testing.T, b amqpbus.Bus, q amqpbus.Queue) {
	t.Helper()
	if err := b.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{q}}); err != nil {
		t.Fatal(err)
	}
}

// outage publishes and consumes until breakIt has broken the links, checks that
// everybody was told once and in order, and that new ones work after mend.
func outage(t *testing.T, b amqpbus.Bus, breakIt, mend func()) {
	const name = "outage"
	declare := func() { queue(t, b, amqpbus.Queue{Name: name}) }
	declare()
	pub, err := b.OpenPublisher(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	con, err := b.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: name, Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 1)
	go func() {
		for {
			ds, err := con.Receive(t.Context(), 10)
			if err == nil {
				err = con.AckThrough(ds[len(ds)-1])
			}
			if err != nil {
				heard <- err
				return
			}
		}
	}()
	var v verdicts
	sent := 0
	publishing := make(chan struct{})
	go func() {
		defer close(publishing)
		for {
			if pub.Publish(t.Context(), amqpbus.Message{Key: name, Mandatory: true, Body: []byte("x")}, v.done(sent)) != nil {
				return
			}
			sent++
		}
	}()
	until(t, b, "connected", connected)
	breakIt()
	<-publishing
	ended(t, pub)
	for i, x := range v.once(t, sent) {
		if x.err != nil && !errors.Is(x.err, amqpbus.ErrLinkLost) {
			t.Fatalf("publish %d of %d: %v", i, sent, x.err)
		}
	}
	if err := <-heard; !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Fatalf("the consumer ended with %v", err)
	}
	mend()
	declare() // a broker that is killed may have forgotten what was declared a moment before
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	works(ctx, t, b, name)
}

// works sends a message through a queue with a new publisher and consumer.
func works(ctx context.Context, t *testing.T, b amqpbus.Bus, name string) {
	t.Helper()
	for {
		err := through(ctx, b, name)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing goes through the new links: %v", err)
		}
	}
}

func through(ctx context.Context, b amqpbus.Bus, name string) error {
	pub, err := b.OpenPublisher(ctx, 1)
	if err != nil {
		return err
	}
	defer func() { _ = pub.Close() }()
	outcome := make(chan error, 1)
	if err := pub.Publish(ctx, amqpbus.Message{Key: name, Mandatory: true, Body: []byte("last")}, func(err error) { outcome <- err }); err != nil {
		return err
	}
	if err := <-outcome; err != nil {
		return err
	}
	con, err := b.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: name, Prefetch: 100})
	if err != nil {
		return err
	}
	defer func() { _ = con.Close() }()
	for {
		ds, err := con.Receive(ctx, 100)
		if err != nil {
			return err
		}
		last := ds[len(ds)-1]
		if err := con.AckThrough(last); err != nil {
			return err
		}
		if string(last.Body) == "last" {
			return nil
		}
	}
}

func TestBrokerKilled(t *testing.T) {
	n := brokertest.Start(t)
	b := open(t, n, "guest")
	outage(t, b, n.Kill9, func() {
		h := until(t, b, "not connected", func(h amqpbus.Health) bool { return !h.Connected })
		if h.Err == nil {
			t.Error("nothing says why it is not connected")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		if err := n.StartAgain(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

func TestConnectionsClosedByTheOperator(t *testing.T) {
	n := brokertest.Share(t)
	b := open(t, n, "guest")
	outage(t, b, func() {
		// The broker lists a connection a moment after it is open.
		for range 20 {
			if _, err := n.Ctl("close_all_connections", "a drill"); err != nil {
				t.Fatal(err)
			}
			if !b.Health().Connected {
				return
			}
		}
	}, func() {})
}

// TestAlarm raises the memory alarm: publishing waits, acks do not.
func TestAlarm(t *testing.T) {
	n := brokertest.Start(t)
	b := open(t, n, "guest")
	queue(t, b, amqpbus.Queue{Name: "alarm"})
	pub, err := b.OpenPublisher(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 3)
	publish := func(ctx context.Context) error {
		return pub.Publish(ctx, amqpbus.Message{Key: "alarm", Mandatory: true, Body: []byte("x")}, func(err error) { outcome <- err })
	}
	if err := errors.Join(publish(t.Context()), <-outcome); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Ctl("set_vm_memory_high_watermark", "absolute", "1MB"); err != nil {
		t.Fatal(err)
	}
	// The broker tells a connection when it next publishes.
	if err := publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, b, "blocked", func(h amqpbus.Health) bool { return h.Blocked != "" })
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := publish(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("publishing while blocked: %v", err)
	}
	con, err := b.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: "alarm", Prefetch: 1})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := con.Receive(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := con.Ack(ds[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Ctl("set_vm_memory_high_watermark", "0.4"); err != nil {
		t.Fatal(err)
	}
	until(t, b, "unblocked", func(h amqpbus.Health) bool { return h.Connected && h.Blocked == "" })
	if err := <-outcome; err != nil {
		t.Fatalf("the publish that met the alarm: %v", err)
	}
	if err := errors.Join(publish(t.Context()), <-outcome); err != nil {
		t.Fatal(err)
	}
	if _, err := con.Receive(t.Context(), 1); err != nil {
		t.Fatalf("the link did not survive the alarm: %v", err)
	}
}

// TestNoVerdict lets a queue's process in the broker stand still, as the leader
// of a quorum queue does whose node hangs: its publisher is given up, and one
// that is opened when the queue is well again works.
func TestNoVerdict(t *testing.T) {
	n := brokertest.Share(t)
	b := open(t, n, "guest")
	until(t, b, "connected", connected)
	queue(t, b, amqpbus.Queue{Name: "still"})
	still := func(what string) {
		t.Helper()
		if _, err := n.Node.Ctl("eval", `{ok,Q} = rabbit_amqqueue:lookup({resource,<<"`+n.Name+`">>,queue,<<"still">>}), sys:`+what+`(amqqueue:get_pid(Q)).`); err != nil {
			t.Fatal(err)
		}
	}
	still("suspend")
	p, err := b.OpenPublisher(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var v verdicts
	for i := range 5 {
		if err := p.Publish(t.Context(), amqpbus.Message{Key: "still", Mandatory: true}, v.done(i)); err != nil {
			t.Fatal(err)
		}
	}
	ended(t, p)
	for _, x := range v.once(t, 5) {
		if !errors.Is(x.err, amqpbus.ErrLinkLost) {
			t.Errorf("publish %d: %v", x.n, x.err)
		}
	}
	if err := p.Publish(t.Context(), amqpbus.Message{Key: "still"}, nil); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("a publish on it afterwards: %v", err)
	}
	if h := b.Health(); !h.Connected {
		t.Errorf("the link was given up as well: %v", h.Err)
	}
	still("resume")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	works(ctx, t, b, "still")
}

// TestVerdictsUnderLoad mixes confirmed, refused and returned messages.
func TestVerdictsUnderLoad(t *testing.T) {
	n := brokertest.Share(t)
	b := open(t, n, "guest")
	const room, count = 100, 1500
	queue(t, b, amqpbus.Queue{Name: "small", MaxLength: room})
	queue(t, b, amqpbus.Queue{Name: "large"})
	pub, err := b.OpenPublisher(t.Context(), 200)
	if err != nil {
		t.Fatal(err)
	}
	var v verdicts
	for i := range count {
		key := []string{"large", "small", "nowhere"}[i%3]
		if err := pub.Publish(t.Context(), amqpbus.Message{Key: key, Mandatory: true, Body: []byte("x")}, v.done(i)); err != nil {
			t.Fatal(err)
		}
	}
	flushed := make(chan struct{})
	if err := pub.Publish(t.Context(), amqpbus.Message{Key: "large", Body: []byte("x")}, func(error) { close(flushed) }); err != nil {
		t.Fatal(err)
	}
	<-flushed
	stored := 0
	for i, x := range v.once(t, count) {
		switch i % 3 {
		case 0:
			if x.err != nil {
				t.Fatalf("publish %d: %v", i, x.err)
			}
		case 1:
			if x.err == nil {
				stored++
			} else if !errors.Is(x.err, amqpbus.ErrRefused) {
				t.Fatalf("publish %d into a full queue: %v", i, x.err)
			}
		case 2:
			if !errors.Is(x.err, amqpbus.ErrUnroutable) {
				t.Fatalf("publish %d to no queue: %v", i, x.err)
			}
		}
	}
	// The broker may take a few more while it finds the bound reached.
	if stored < room || stored > count/3-room {
		t.Errorf("%d of %d messages were stored in a queue for %d", stored, count/3, room)
	}
	if err := pub.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestErrorsSayWhatToDo provokes what an operator gets wrong.
func TestErrorsSayWhatToDo(t *testing.T) {
	n := brokertest.Share(t)
	b := open(t, n, "guest")
	queue(t, b, amqpbus.Queue{Name: "made"})
	err := b.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "made", MaxLength: 7}}})
	if err == nil || !strings.Contains(err.Error(), "queue made") || !strings.Contains(err.Error(), "x-max-length") {
		t.Errorf("other arguments: %v", err)
	}
	if err := n.AddUser("narrow", "^$", "^$", "^$"); err != nil {
		t.Fatal(err)
	}
	err = open(t, n, "narrow").Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "mine"}}})
	if err == nil || !strings.Contains(err.Error(), "permission") {
		t.Errorf("no permission: %v", err)
	}
	wrong, err := rabbit.Open(rabbit.Options{URL: fmt.Sprintf("amqp://guest:not-the-password@%s/", n.Node.Address())})
	if err != nil {
		t.Fatal(err)
	}
	h := until(t, wrong, "refused", func(h amqpbus.Health) bool {
		return h.Err != nil && strings.Contains(h.Err.Error(), "BELFRY_AMQP_URL")
	})
	if strings.Contains(h.Err.Error(), "not-the-password") {
		t.Errorf("the password is in the error: %v", h.Err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := wrong.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := rabbit.Open(rabbit.Options{URL: "amqp://guest:guest@broker.example.com/"}); err == nil {
		t.Error("a broker elsewhere without TLS was accepted")
	}
}
