package bustest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
)

const (
	// patience bounds every wait for something that must happen.
	patience = 20 * time.Second
	// quiet is how long nothing must happen where no later event can show it.
	quiet = 250 * time.Millisecond
)

// kit is one test's tools: buses, unique names, and steps that fail the test.
type kit struct {
	*testing.T
	open   func(t testing.TB, user string) amqpbus.Bus
	ctx    context.Context
	prefix string
}

func newKit(t *testing.T, open func(t testing.TB, user string) amqpbus.Bus) *kit {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	return &kit{T: t, open: open, ctx: ctx, prefix: "bustest." + rand.Text()[:10] + "."}
}

// name is a queue's or exchange's name that no other test uses.
func (k *kit) name(what string) string { return k.prefix + what }

// bus opens a bus and closes it at the end of the test.
func (k *kit) bus(user string) amqpbus.Bus {
	k.Helper()
	b := k.open(k, user)
	k.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			k.Errorf("close bus: %v", err)
		}
	})
	return b
}

// declare creates a topology and deletes its queues at the end of the test.
func (k *kit) declare(b amqpbus.Bus, t amqpbus.Topology) {
	k.Helper()
	k.noError(b.Declare(k.ctx, t), "declare")
	for _, q := range t.Queues {
		k.Cleanup(func() { k.remove(q.Name) })
	}
}

// queue declares one queue with the arguments given, and returns its name.
func (k *kit) queue(b amqpbus.Bus, args amqpbus.Queue) string {
	k.Helper()
	if args.Name == "" {
		args.Name = k.name("queue")
	}
	k.declare(b, amqpbus.Topology{Queues: []amqpbus.Queue{args}})
	return args.Name
}

// remove deletes a queue through a bus of its own: the test's may be closed.
func (k *kit) remove(queue string) {
	b := k.open(k, UserA)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(b.Delete(ctx, queue), b.Close(ctx)); err != nil {
		k.Errorf("delete queue: %v", err)
	}
}

func (k *kit) publisher(b amqpbus.Bus, window int) amqpbus.Publisher {
	k.Helper()
	p, err := b.OpenPublisher(k.ctx, window)
	k.noError(err, "open publisher")
	return p
}

func (k *kit) consumer(b amqpbus.Bus, queue string, prefetch int) amqpbus.Consumer {
	k.Helper()
	c, err := b.OpenConsumer(k.ctx, amqpbus.ConsumerOptions{Queue: queue, Prefetch: prefetch})
	k.noError(err, "open consumer")
	return c
}

// publish sends messages and returns their outcomes when all are known.
func (k *kit) publish(p amqpbus.Publisher, messages ...amqpbus.Message) []error {
	k.Helper()
	outcomes := make(chan error, len(messages))
	for i, m := range messages {
		k.noError(p.Publish(k.ctx, m, func(err error) { outcomes <- err }), fmt.Sprintf("publish %d", i))
	}
	var out []error
	for i := range messages {
		out = append(out, k.await(outcomes, fmt.Sprintf("the outcome of message %d", i)))
	}
	return out
}

// confirmed publishes messages, all of which must be confirmed.
func (k *kit) confirmed(b amqpbus.Bus, messages ...amqpbus.Message) {
	k.Helper()
	p := k.publisher(b, 100)
	for i, err := range k.publish(p, messages...) {
		k.noError(err, fmt.Sprintf("outcome of message %d", i))
	}
	k.noError(p.Close(), "close publisher")
}

// send publishes bodies straight to a queue, all of which must be confirmed.
func (k *kit) send(b amqpbus.Bus, queue string, bodies ...string) {
	k.Helper()
	k.confirmed(b, to(queue, bodies...)...)
}

// to makes messages for a queue through the default exchange.
func to(queue string, bodies ...string) []amqpbus.Message {
	var out []amqpbus.Message
	for _, body := range bodies {
		out = append(out, amqpbus.Message{Key: queue, Mandatory: true, Body: []byte(body)})
	}
	return out
}

// numbers are the bodies "from" to "to", both included.
func numbers(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// receive waits until n deliveries came, max at a time, and fails on more.
func (k *kit) receive(c amqpbus.Consumer, n, max int) []amqpbus.Delivery {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	var out []amqpbus.Delivery
	for len(out) < n {
		want := min(max, n-len(out))
		got, err := c.Receive(ctx, want)
		if err != nil {
			k.Fatalf("receive after %d of %d: %v", len(out), n, err)
		}
		if len(got) == 0 || len(got) > want {
			k.Fatalf("receive(%d) gave %d deliveries", want, len(got))
		}
		out = append(out, got...)
	}
	return out
}

// expect receives exactly these bodies, in order.
func (k *kit) expect(c amqpbus.Consumer, bodies ...string) []amqpbus.Delivery {
	k.Helper()
	got := k.receive(c, len(bodies), len(bodies))
	if !slices.Equal(texts(got), bodies) {
		k.Fatalf("received %q, want %q", texts(got), bodies)
	}
	return got
}

// expectNext sends a last message to the queue and expects it next: nothing
// else is there.
func (k *kit) expectNothingElse(b amqpbus.Bus, c amqpbus.Consumer, queue string) {
	k.Helper()
	k.send(b, queue, "the last")
	k.expect(c, "the last")
}

// expectQuiet shows that a consumer gets nothing for a while.
func (k *kit) expectQuiet(c amqpbus.Consumer) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, quiet)
	defer cancel()
	got, err := c.Receive(ctx, 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		k.Fatalf("received %q and %v, want nothing and the context's error", texts(got), err)
	}
}

func texts(deliveries []amqpbus.Delivery) []string {
	out := []string{}
	for _, d := range deliveries {
		out = append(out, string(d.Body))
	}
	return out
}

// eventually tries until ok, which is a condition that no event announces.
func (k *kit) eventually(what string, ok func() bool) {
	k.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			k.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// await is one error from a channel, within patience.
func (k *kit) await(from <-chan error, what string) error {
	k.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-from:
		return err
	case <-timer.C:
		k.Fatalf("waited %s in vain: %s", patience, what)
		return nil
	}
}

func (k *kit) awaitClosed(c <-chan struct{}, what string) {
	k.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		k.Fatalf("waited %s in vain: %s", patience, what)
	}
}

func (k *kit) noError(err error, what string) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) wantError(err, want error, what string) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

// outcomes records what done was called with. Its mutex is for the reader; two
// calls at once would still be seen by busy.
type outcomes struct {
	mu    sync.Mutex
	busy  bool
	order []int
	errs  []error
	twice bool
}

// done is the callback of message i.
func (o *outcomes) done(i int) func(error) {
	return func(err error) {
		o.mu.Lock()
		o.twice = o.twice || o.busy
		o.busy = true
		o.mu.Unlock()

		o.mu.Lock()
		defer o.mu.Unlock()
		o.busy = false
		o.order = append(o.order, i)
		o.errs = append(o.errs, err)
	}
}

func (o *outcomes) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.order)
}
