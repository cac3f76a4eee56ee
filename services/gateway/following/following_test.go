package following

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
)

// TestAnswerComesBetweenEvents: the answer is given at its place among the events, and
// Subscribe returns behind it.
func TestAnswerComesBetweenEvents(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		r.driver.Open(1)
		r.driver.Open(2)
		first := r.subscribe(r.t.Context(), 1, "jobs-1")
		r.batch(1, 10, 11)
		r.must(r.ended(first))
		second := r.subscribe(r.t.Context(), 2, "jobs-1", "jobs-2")
		r.batch(2, 11, 13, event(12, "jobs-1", "a"), event(13, "jobs-2", "b"))
		r.must(r.ended(second))
		r.batch(2, 13, 14, event(14, "jobs-2", "c"))
		r.expect("answer", "jobs-1 a", "jobs-2 b", "answer", "jobs-2 c")
	})
}

// TestWhoGivesUpIsNotAnswered: a batch that comes too late makes nobody a member.
func TestWhoGivesUpIsNotAnswered(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		r.driver.Open(1)
		ctx, cancel := context.WithCancel(r.t.Context())
		end := r.subscribe(ctx, 1, "jobs-1")
		cancel()
		if err := r.ended(end); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
			r.t.Errorf("it ended with %v", err)
		}
		r.batch(1, 10, 11)
		r.expect()
		again := r.subscribe(r.t.Context(), 1, "jobs-1") // the group lingers, and is active
		r.must(r.ended(again))
		r.expect("answer")
	})
}

// TestNobodyLeads: an answer that does not come within 5 s is told, also while the broker
// blocks and the machine's clock stands still.
func TestNobodyLeads(t *testing.T) {
	play(t, func(r *rig) {
		r.driver.Open(1)
		end := r.subscribe(r.t.Context(), 1, "jobs-1")
		time.Sleep(6 * time.Second)
		if err := r.ended(end); !errors.Is(err, ErrUnavailable) {
			r.t.Errorf("it ended with %v", err)
		}
		r.broker.Block("disk")
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		defer cancel()
		end = r.subscribe(ctx, 1, "jobs-1")
		time.Sleep(6 * time.Second)
		if err := r.ended(end); !errors.Is(err, ErrUnavailable) {
			r.t.Errorf("while the broker blocks it ended with %v", err)
		}
		time.Sleep(time.Minute)
		r.expect() // nobody is judged by a silence that is the broker's
		r.broker.Unblock()
	})
}

// TestALogThatNobodyLeads: after 30 s everybody is closed, and the gateway is not ready
// until it hears of the log again.
func TestALogThatNobodyLeads(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		for range 20 {
			r.batch(0, 10, 10)
			time.Sleep(2 * time.Second)
		}
		r.expect()
		time.Sleep(2 * time.Minute)
		r.expect("close all")
		if why := r.driver.Ready(); len(why) != 1 || !strings.Contains(why[0], "1 of 1 logs") {
			r.t.Errorf("not ready because of %v", why)
		}
		r.lead(10)
		time.Sleep(time.Second)
		if why := r.driver.Ready(); len(why) != 0 {
			r.t.Errorf("the log is led again: %v", why)
		}
	})
}

// TestConnectionsThatEnd: who waits is told, and one that is not known cannot ask.
func TestConnectionsThatEnd(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		r.driver.Open(1)
		end := r.subscribe(r.t.Context(), 1, "jobs-1")
		r.driver.Close(1)
		r.driver.Close(1)
		if err := r.ended(end); !errors.Is(err, errGone) {
			r.t.Errorf("one that was closed ended with %v", err)
		}
		if err := r.ended(r.subscribe(r.t.Context(), 1, "jobs-1")); !errors.Is(err, errGone) {
			r.t.Errorf("one that is not known ended with %v", err)
		}
		r.driver.Open(2)
		end = r.subscribe(r.t.Context(), 2, "jobs-1")
		r.must(r.driver.Stop(r.t.Context()))
		if err := r.ended(end); !errors.Is(err, errGone) {
			r.t.Errorf("one of a driver that was stopped ended with %v", err)
		}
		r.expect()
	})
}

// TestOnlyWorkersAreBelieved: what another user says, or of another number of shards,
// changes nothing; what is none of the logs' is given on.
func TestOnlyWorkersAreBelieved(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		r.driver.Open(1)
		end := r.subscribe(r.t.Context(), 1, "jobs-1")
		r.batch(1, 10, 11)
		r.must(r.ended(end))
		r.expect("answer")

		stranger := r.broker.Open("backend")
		defer func() { _ = stranger.Close(context.Background()) }()
		pub, err := stranger.OpenPublisher(r.t.Context(), 10)
		r.must(err)
		r.sayBy(pub, r.batchOf(1, 11, 12, event(12, "jobs-1", "forged")))
		r.sayBy(pub, eventlog.Reset{Gateway: string(self), Feed: r.feed, Cause: eventlog.CauseJump})
		r.sayBy(pub, eventlog.Claim{Leader: eventlog.Leader{Term: 99, Worker: "forger"}})
		r.batch(1, 11, 12, event(12, "jobs-1", "true"))
		r.expect("jobs-1 true")
	})
}

// TestRedeliveredBatches: what was not acked before a link ended comes again, and is
// delivered once; a queue that was deleted begins another feed.
func TestRedeliveredBatches(t *testing.T) {
	play(t, func(r *rig) {
		r.lead(10)
		r.driver.Open(1)
		end := r.subscribe(r.t.Context(), 1, "jobs-1")
		r.batch(1, 10, 11)
		r.must(r.ended(end))
		b := r.batchOf(1, 11, 12, event(12, "jobs-1", "a"))
		r.say(b)
		r.say(b)
		r.expect("answer", "jobs-1 a")
		before := r.feed
		r.must(r.worker.Delete(r.t.Context(), amqpbus.ReplyQueue(string(self))))
		time.Sleep(2 * time.Second)
		r.heard()
		if r.feed <= before {
			r.t.Fatalf("feed %d, and before the queue was deleted it was %d", r.feed, before)
		}
		r.batch(1, 12, 13, event(13, "jobs-1", "b"))
		r.expect("jobs-1 b")
	})
}

// TestDeafConsumer: a consumer that hears nothing for 30 s is opened anew.
func TestDeafConsumer(t *testing.T) {
	play(t, func(r *rig) {
		con := func() int { return r.broker.Core().Consumers(amqpbus.ReplyQueue(string(self))) }
		if con() != 1 {
			r.t.Fatalf("%d consumers", con())
		}
		time.Sleep(deafAfter - time.Second)
		synctest.Wait()
		if !r.driver.hears.Load() {
			r.t.Fatal("it was closed too early")
		}
		time.Sleep(time.Second + 50*time.Millisecond)
		synctest.Wait()
		if r.driver.hears.Load() {
			r.t.Error("it was not closed")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !r.driver.hears.Load() || con() != 1 {
			r.t.Errorf("it was not opened again: %d consumers", con())
		}
	})
}
