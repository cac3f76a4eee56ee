package membus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// rig is a bus with a queue "q", a publisher and a consumer on it. Its tests
// run in a synctest bubble: waits take no time, and what is quiet is quiet for ever.
type rig struct {
	*testing.T
	broker *membus.Broker
	bus    amqpbus.Bus
	pub    amqpbus.Publisher
	con    amqpbus.Consumer
}

func bubble(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, broker: membus.New()}
		r.bus = r.broker.Open("user")
		r.must(r.bus.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "q"}}}))
		r.reopen()
		test(r)
		r.must(r.bus.Close(context.Background()))
	})
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) reopen() {
	r.Helper()
	var err error
	r.pub, err = r.bus.OpenPublisher(r.Context(), 10)
	r.must(err)
	r.con, err = r.bus.OpenConsumer(r.Context(), amqpbus.ConsumerOptions{Queue: "q", Prefetch: 10})
	r.must(err)
}

// publish sends a body and returns where its outcome will be.
func (r *rig) publish(body string) <-chan error {
	r.Helper()
	outcome := make(chan error, 1)
	r.must(r.pub.Publish(r.Context(), amqpbus.Message{Key: "q", Persistent: true, Body: []byte(body)}, func(err error) { outcome <- err }))
	return outcome
}

// open reports that an outcome is not known, and will not be by itself.
func (r *rig) open(outcome <-chan error) {
	r.Helper()
	synctest.Wait()
	select {
	case err := <-outcome:
		r.Fatalf("the outcome is known: %v", err)
	default:
	}
}

func (r *rig) expect(want ...string) []amqpbus.Delivery {
	r.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	got, err := r.con.Receive(ctx, 100)
	if len(want) == 0 && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	var bodies []string
	for _, d := range got {
		bodies = append(bodies, string(d.Body))
	}
	if fmt.Sprint(bodies) != fmt.Sprint(want) {
		r.Fatalf("received %q and %v, want %q", bodies, err, want)
	}
	return got
}

func (r *rig) lost() {
	r.Helper()
	<-r.pub.Done()
	_, err := r.con.Receive(r.Context(), 1)
	if !errors.Is(err, amqpbus.ErrLinkLost) {
		r.Fatalf("receive after the cut: %v", err)
	}
	if err := r.pub.Publish(r.Context(), amqpbus.Message{Key: "q"}, nil); !errors.Is(err, amqpbus.ErrLinkLost) {
		r.Fatalf("publish after the cut: %v", err)
	}
}

func TestCutLinks(t *testing.T) {
	bubble(t, func(r *rig) {
		other := r.broker.Open("other")
		stays, err := other.OpenPublisher(r.Context(), 1)
		r.must(err)
		r.must(<-r.publish("held"))
		held := r.expect("held")
		changed := r.bus.Changed()
		r.broker.CutLinks("user")
		<-changed
		r.lost()
		if err := r.con.Ack(held[0]); !errors.Is(err, amqpbus.ErrLinkLost) {
			r.Errorf("ack after the cut: %v", err)
		}
		r.reopen() // connected again at once
		if d := r.expect("held")[0]; !d.Redelivered {
			r.Error("what came back is not marked")
		}
		r.must(stays.Publish(r.Context(), amqpbus.Message{Key: "q"}, nil))
		r.must(other.Close(r.Context()))
	})
}

func TestCutOneLink(t *testing.T) {
	bubble(t, func(r *rig) {
		r.broker.CutPublishing(r.bus)
		<-r.pub.Done()
		r.expect() // the consumer lives
		r.broker.CutConsuming(r.bus)
		if _, err := r.con.Receive(r.Context(), 1); !errors.Is(err, amqpbus.ErrLinkLost) {
			r.Errorf("receive: %v", err)
		}
		r.reopen()
		r.broker.CutBus(r.bus)
		r.lost()
	})
}

func TestDownAndUp(t *testing.T) {
	bubble(t, func(r *rig) {
		r.must(<-r.publish("persistent"))
		r.broker.Down()
		r.lost()
		if h := r.bus.Health(); h.Connected || h.Err == nil {
			r.Errorf("health while down: %+v", h)
		}
		late := r.broker.Open("late") // opened while down
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		if err := late.Declare(ctx, amqpbus.Topology{}); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("declare while down: %v", err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- late.Declare(r.Context(), amqpbus.Topology{}) }()
		r.open(waiting)
		r.broker.Up()
		r.must(<-waiting)
		r.reopen()
		r.expect("persistent")
		r.must(late.Close(r.Context()))
	})
}

func TestDisconnect(t *testing.T) {
	bubble(t, func(r *rig) {
		r.broker.Disconnect(r.bus)
		r.lost()
		r.broker.Reconnect(r.bus)
		r.reopen()
		r.must(<-r.publish("after"))
		r.expect("after")
	})
}

func TestBlock(t *testing.T) {
	bubble(t, func(r *rig) {
		r.broker.Block("low on memory")
		if h := r.bus.Health(); h.Blocked != "low on memory" || !h.Connected {
			r.Errorf("health while blocked: %+v", h)
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
		defer cancel()
		if err := r.pub.Publish(ctx, amqpbus.Message{Key: "q"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("publish while blocked: %v", err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- r.pub.Publish(r.Context(), amqpbus.Message{Key: "q", Body: []byte("waited")}, nil) }()
		r.open(waiting)
		r.broker.Unblock()
		r.must(<-waiting)
		r.expect("waited")
		r.broker.Block("again")
		go func() { waiting <- r.pub.Publish(r.Context(), amqpbus.Message{Key: "q"}, nil) }()
		r.open(waiting)
		r.broker.CutLinks("")
		if err := <-waiting; !errors.Is(err, amqpbus.ErrLinkLost) {
			r.Errorf("publish that waited when the link was cut: %v", err)
		}
	})
}

func TestFates(t *testing.T) {
	bubble(t, func(r *rig) {
		fates := map[string]membus.Fate{
			"refused": membus.FateRefuse, "unconfirmed": membus.FateLoseConfirm, "dropped": membus.FateDrop, "held": membus.FateHold,
		}
		r.broker.SetPublishHook(func(user string, m amqpbus.Message) membus.Fate {
			if user != "user" {
				r.Errorf("the hook was told user %q", user)
			}
			return fates[string(m.Body)]
		})
		r.must(<-r.publish("passed"))
		if err := <-r.publish("refused"); !errors.Is(err, amqpbus.ErrRefused) {
			r.Errorf("refused: %v", err)
		}
		held, behind := r.publish("held"), r.publish("behind")
		r.open(held)
		r.open(behind)
		r.expect("passed")
		delete(fates, "held") // nobody asks before the hook is set again
		r.broker.SetPublishHook(func(_ string, m amqpbus.Message) membus.Fate { return fates[string(m.Body)] })
		r.must(<-held)
		r.must(<-behind)
		r.expect("held", "behind")
		var open []<-chan error
		for _, body := range []string{"unconfirmed", "dropped", "later"} {
			open = append(open, r.publish(body))
		}
		for _, outcome := range open {
			r.open(outcome)
		}
		r.expect("unconfirmed", "later")
		r.broker.CutLinks("user")
		for _, outcome := range open {
			if err := <-outcome; !errors.Is(err, amqpbus.ErrLinkLost) {
				r.Errorf("the outcome after the cut: %v", err)
			}
		}
	})
}

// TestAlarm: expiry and unused queues need nobody to look.
func TestAlarm(t *testing.T) {
	bubble(t, func(r *rig) {
		r.must(r.bus.Declare(r.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{
			{Name: "waits", DeadLetterTo: "q"}, {Name: "unused", Expires: time.Minute},
		}}))
		for _, s := range []time.Duration{30, 10, 20} {
			m := amqpbus.Message{Key: "waits", Expiration: s * time.Second, Body: []byte(s.String())}
			r.must(r.pub.Publish(r.Context(), m, nil))
		}
		start := time.Now()
		got, err := r.con.Receive(r.Context(), 1) // the head's thirty seconds
		if err != nil || time.Since(start) != 30*time.Second || got[0].Dead == nil {
			r.Fatalf("received %+v, %v after %v", got, err, time.Since(start))
		}
		r.expect("10ns", "20ns")
		time.Sleep(31 * time.Second) // the bubble's time
		synctest.Wait()
		if r.broker.Core().Exists("unused") {
			r.Error("the unused queue is still there")
		}
	})
}

// TestPublishWaitsForTheWindow: the window counts what is not confirmed.
func TestPublishWaitsForTheWindow(t *testing.T) {
	bubble(t, func(r *rig) {
		r.broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateHold })
		for i := range 10 {
			r.publish(fmt.Sprint(i))
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := r.pub.Publish(ctx, amqpbus.Message{Key: "q"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("the eleventh of ten: %v", err)
		}
		r.broker.SetPublishHook(nil)
		r.must(<-r.publish("10"))
	})
}
