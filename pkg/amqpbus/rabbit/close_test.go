package rabbit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
)

// returns fails the test when do does not return while things are as they are.
func returns(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		t.Fatalf("%s does not return", what)
	}
}

// opened has one of everything that is to be closed.
type opened struct {
	bus       amqpbus.Bus
	publisher amqpbus.Publisher
	consumer  amqpbus.Consumer
}

// openAll opens a bus whose heartbeat ends nothing while a test looks.
func openAll(t *testing.T, n *brokertest.Node) opened {
	t.Helper()
	b, err := rabbit.Open(rabbit.Options{URL: n.URL("guest"), Name: t.Name(), Heartbeat: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // again, where the test ended early
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = b.Close(ended)
	})
	queue(t, b, amqpbus.Queue{Name: "closing"})
	o := opened{bus: b}
	if o.publisher, err = b.OpenPublisher(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if o.consumer, err = b.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: "closing", Prefetch: 1}); err != nil {
		t.Fatal(err)
	}
	return o
}

// requests makes every request that the broker has to answer; each ends with
// its context.
func (o opened) requests(t *testing.T) {
	t.Helper()
	for what, ask := range map[string]func(context.Context) error{
		"OpenPublisher": func(ctx context.Context) error { _, err := o.bus.OpenPublisher(ctx, 1); return err },
		"OpenConsumer": func(ctx context.Context) error {
			_, err := o.bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: "closing", Prefetch: 1})
			return err
		},
		"Declare": func(ctx context.Context) error { return o.bus.Declare(ctx, amqpbus.Topology{}) },
		"Delete":  func(ctx context.Context) error { return o.bus.Delete(ctx, "nothing") },
	} {
		returns(t, what, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

// close closes everything while the broker does not answer.
func (o opened) close(t *testing.T) {
	t.Helper()
	returns(t, "Publisher.Close", func() { _ = o.publisher.Close() })
	returns(t, "Consumer.Close", func() { _ = o.consumer.Close() })
	returns(t, "Bus.Close", func() {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_ = o.bus.Close(ctx)
	})
	ended(t, o.publisher)
}

// TestCloseUnderAnAlarm: a broker that is short of memory or disk reads nothing
// from a connection that has published, so it never agrees to an end.
func TestCloseUnderAnAlarm(t *testing.T) {
	n := brokertest.Start(t)
	for _, alarm := range []struct{ name, word, set, on, off string }{
		{"memory", "memory", "set_vm_memory_high_watermark", "0.00001", "0.4"},
		{"disk", "disk", "set_disk_free_limit", "900000000000000", "50000000"},
	} {
		t.Run(alarm.name, func(t *testing.T) {
			o := openAll(t, n)
			var v verdicts
			if _, err := n.Ctl(alarm.set, alarm.on); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if _, err := n.Ctl(alarm.set, alarm.off); err != nil {
					t.Error(err)
				}
			}()
			if err := o.publisher.Publish(t.Context(), amqpbus.Message{Key: "closing"}, v.done(0)); err != nil {
				t.Fatal(err)
			}
			h := until(t, o.bus, "blocked", func(h amqpbus.Health) bool { return h.Blocked != "" })
			if h.Blocked != "low on "+alarm.word {
				t.Errorf("blocked because of %q", h.Blocked)
			}
			returns(t, "OpenPublisher", func() {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				if _, err := o.bus.OpenPublisher(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("another publisher: %v", err)
				}
			})
			o.close(t)
			for _, x := range v.once(t, 1) {
				if x.err != nil && !errors.Is(x.err, amqpbus.ErrLinkLost) { // it may have been taken still
					t.Errorf("what met the alarm: %v", x.err)
				}
			}
		})
	}
}

// TestCloseWhileAWriteHangs: the alarm has filled the socket, so the library's
// locks are held by a write.
func TestCloseWhileAWriteHangs(t *testing.T) {
	n := brokertest.Start(t)
	o := openAll(t, n)
	if _, err := n.Ctl("set_vm_memory_high_watermark", "0.00001"); err != nil {
		t.Fatal(err)
	}
	publishing := make(chan struct{})
	body := make([]byte, 8<<20)
	go func() {
		defer close(publishing)
		for range 4 {
			if o.publisher.Publish(t.Context(), amqpbus.Message{Key: "closing", Body: body}, nil) != nil {
				return
			}
		}
	}()
	until(t, o.bus, "blocked", func(h amqpbus.Health) bool { return h.Blocked != "" })
	o.close(t)
	returns(t, "Publish", func() { <-publishing })
}

// TestCloseOfASilentBroker: one that hangs answers nothing, on no connection.
func TestCloseOfASilentBroker(t *testing.T) {
	n := brokertest.Start(t)
	o := openAll(t, n)
	var v verdicts
	n.Pause()
	defer n.Resume()
	if err := o.publisher.Publish(t.Context(), amqpbus.Message{Key: "closing"}, v.done(0)); err != nil {
		t.Fatal(err)
	}
	o.requests(t)
	o.close(t)
	for _, x := range v.once(t, 1) {
		if !errors.Is(x.err, amqpbus.ErrLinkLost) {
			t.Errorf("what was under way: %v", x.err)
		}
	}
}

// TestCloseWhileConnecting: nothing waits for a broker that takes connections
// and says nothing.
func TestCloseWhileConnecting(t *testing.T) {
	n := brokertest.Start(t)
	n.Pause()
	defer n.Resume()
	b, err := rabbit.Open(rabbit.Options{URL: n.URL("guest"), Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	returns(t, "Bus.Close", func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = b.Close(ended)
	})
}
