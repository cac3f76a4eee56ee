package sender

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const queue = "q"

// rig is a sender on a broker in memory with one queue.
type rig struct {
	broker *membus.Broker
	bus    amqpbus.Bus
	box    *Sender
	stop   func()

	mu       sync.Mutex
	verdicts []string // in the order in which they were told
}

func play(t *testing.T, o Options, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{broker: membus.New()}
		r.bus = r.broker.Open("sender")
		if err := r.bus.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: queue, MaxLength: 50}}}); err != nil {
			t.Fatal(err)
		}
		o.Bus = r.bus
		r.box = New(o)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { amqpbus.Keep(ctx, 0, r.box.Once, func(error) {}) })
		r.stop = func() { cancel(); running.Wait() }
		defer func() { r.stop(); _ = r.bus.Close(context.Background()) }()
		test(t, r)
	})
}

func (r *rig) send(key, name string) {
	r.box.Send(amqpbus.Message{Key: key, Body: []byte(name)}, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case err == nil:
			r.verdicts = append(r.verdicts, name)
		case errors.Is(err, ErrFull):
			r.verdicts = append(r.verdicts, name+" full")
		case errors.Is(err, amqpbus.ErrUnroutable):
			r.verdicts = append(r.verdicts, name+" unroutable")
		case errors.Is(err, amqpbus.ErrLinkLost):
			r.verdicts = append(r.verdicts, name+" lost")
		default:
			r.verdicts = append(r.verdicts, name+" "+err.Error())
		}
	})
}

func (r *rig) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.verdicts)
}

func (r *rig) stored(t *testing.T) []string {
	con, err := r.bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = con.Close() }()
	var out []string
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ds, err := con.Receive(ctx, 1000)
		cancel()
		if err != nil {
			return out
		}
		for _, d := range ds {
			out = append(out, string(d.Body))
		}
	}
}

func names(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// TestVerdictsInOrder: each message has one, and what has no queue is told as that.
func TestVerdictsInOrder(t *testing.T) {
	play(t, Options{}, func(t *testing.T, r *rig) {
		for _, n := range names(0, 20) {
			r.send(queue, n)
		}
		r.send("nowhere", "x")
		synctest.Wait()
		if got, want := r.told(), append(names(0, 20), "x unroutable"); !slices.Equal(got, want) {
			t.Errorf("told %v", got)
		}
		if got := r.stored(t); !slices.Equal(got, names(0, 20)) {
			t.Errorf("stored %v", got)
		}
	})
}

// TestWaitsForALink: what is left while the broker is away is sent when it is back, in
// order, and what was in the air is told as lost.
func TestWaitsForALink(t *testing.T) {
	play(t, Options{}, func(t *testing.T, r *rig) {
		r.broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateDrop })
		r.send(queue, "air")
		synctest.Wait()
		r.broker.SetPublishHook(nil)
		r.broker.Disconnect(r.bus)
		synctest.Wait()
		for _, n := range names(0, 5) {
			r.send(queue, n)
		}
		synctest.Wait()
		if got := r.told(); !slices.Equal(got, []string{"air lost"}) || r.box.Up() {
			t.Fatalf("while the broker is away: told %v, up %v", got, r.box.Up())
		}
		r.broker.Reconnect(r.bus)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := r.told(), append([]string{"air lost"}, names(0, 5)...); !slices.Equal(got, want) || !r.box.Up() {
			t.Errorf("afterwards: told %v, up %v", got, r.box.Up())
		}
	})
}

// TestBoundsRefuseTheNewest: while the broker blocks, what is over the bounds is
// refused at once, and the sender goes on.
func TestBoundsRefuseTheNewest(t *testing.T) {
	play(t, Options{MostMessages: 3, MostBytes: 10}, func(t *testing.T, r *rig) {
		r.broker.Block("disk")
		synctest.Wait()
		for _, n := range names(0, 5) {
			r.send(queue, n)
		}
		if got := r.told(); !slices.Equal(got, []string{"3 full", "4 full"}) {
			t.Errorf("by count: told %v", got)
		}
		r.broker.Unblock()
		time.Sleep(time.Second)
		r.broker.Block("disk")
		synctest.Wait()
		r.send(queue, "eight by")
		r.send(queue, "three")
		synctest.Wait()
		if got, want := r.told(), []string{"3 full", "4 full", "0", "1", "2", "three full"}; !slices.Equal(got, want) {
			t.Errorf("by bytes: told %v", got)
		}
		r.broker.Unblock()
		synctest.Wait()
	})
}

// TestOutOfBoundsHoldsNobodyUp: a message that AMQP cannot carry is told so, and the next goes out.
func TestOutOfBoundsHoldsNobodyUp(t *testing.T) {
	play(t, Options{}, func(t *testing.T, r *rig) {
		r.box.Send(amqpbus.Message{Key: string(make([]byte, 300))}, func(err error) {
			if !errors.Is(err, amqpbus.ErrMessage) {
				t.Errorf("told %v", err)
			}
		})
		r.send(queue, "next")
		synctest.Wait()
		if got := r.told(); !slices.Equal(got, []string{"next"}) {
			t.Errorf("told %v", got)
		}
	})
}

// TestDropTellsWhatWaits: nobody is left without a verdict.
func TestDropTellsWhatWaits(t *testing.T) {
	play(t, Options{}, func(t *testing.T, r *rig) {
		r.broker.Disconnect(r.bus)
		synctest.Wait()
		r.send(queue, "a")
		r.send(queue, "b")
		r.stop()
		r.box.Drop()
		if got := r.told(); !slices.Equal(got, []string{"a lost", "b lost"}) {
			t.Errorf("told %v", got)
		}
	})
}
