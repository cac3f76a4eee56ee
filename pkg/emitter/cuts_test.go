package emitter_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

// TestUnconfirmedEventsAreSentAgain: the confirms of a window are lost and the link is cut.
// The whole window is sent again, in order and with the same ids, before later events.
func TestUnconfirmedEventsAreSentAgain(t *testing.T) {
	broker, bus := installation(t, 1)
	e := over(t, broker, emitter.Options{})
	lost := make(chan struct{}, 100)
	broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate {
		lost <- struct{}{}
		return membus.FateLoseConfirm
	})
	first := make(chan error, 1)
	go func() { first <- e.EmitBatch(t.Context(), numbered("a", 5)) }()
	for range 5 {
		<-lost
	}
	broker.SetPublishHook(nil)
	broker.CutLinks(user)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := e.EmitBatch(t.Context(), numbered("b", 2)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range receive(t, bus, amqpbus.LogQueue(1, 0), 12) {
		got = append(got, d.ID)
	}
	want := "a0 a1 a2 a3 a4 a0 a1 a2 a3 a4 b0 b1"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("sent %s, want %s", s, want)
	}
}

func numbered(name string, n int) []emitter.Event {
	var out []emitter.Event
	for i := range n {
		out = append(out, emitter.Event{Group: "jobs-" + name, Payload: fmt.Appendf(nil, "%d", i), ID: fmt.Sprint(name, i)})
	}
	return out
}

// TestManyWritersUnderCuts: with duplicate ids removed, every confirmed event is there once
// and the events of each goroutine are in order. Each cut of the link loses confirms.
func TestManyWritersUnderCuts(t *testing.T) {
	const writers, cuts = 8, 40
	broker, bus := installation(t, 1)
	e := over(t, broker, emitter.Options{Window: 50})
	var loseAfter atomic.Int64 // publishes whose confirms are not lost
	loseAfter.Store(100)
	broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate {
		if loseAfter.Add(-1) < 0 {
			return membus.FateLoseConfirm
		}
		return membus.FatePass
	})
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range cuts {
			for loseAfter.Load() > -4 {
				if !pause(t) {
					return
				}
			}
			loseAfter.Store(writers + rand.N(int64(200))) // before the cut: all writers wait for it
			broker.CutLinks(user)
		}
		broker.SetPublishHook(nil)
		broker.CutLinks(user)
	}()
	var written [writers]int
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for {
				event := emitter.Event{Group: fmt.Sprintf("jobs-%d", w), Payload: fmt.Appendf(nil, "%d", written[w])}
				if err := e.EmitEvent(t.Context(), event); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				written[w]++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	writing.Wait()
	all := receive(t, bus, amqpbus.LogQueue(1, 0), ready(t, broker, amqpbus.LogQueue(1, 0)))
	next, seen := map[string]int{}, map[string]bool{}
	for _, d := range all {
		if seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		if string(d.Body) != fmt.Sprint(next[d.Key]) {
			t.Fatalf("%s: got %s, want number %d", d.Key, d.Body, next[d.Key])
		}
		next[d.Key]++
	}
	total := 0
	for w, n := range written {
		total += n
		if got := next[fmt.Sprintf("jobs-%d", w)]; got != n {
			t.Errorf("writer %d: %d of %d events", w, got, n)
		}
	}
	if len(all) < total+cuts {
		t.Errorf("%d events, sent %d times: confirms were not lost with every cut", total, len(all))
	}
	t.Logf("%d events, sent %d times over %d cuts", total, len(all), cuts)
}

func TestContextEndsAnEmit(t *testing.T) {
	broker, _ := installation(t, 1)
	broker.Down()
	e := over(t, broker, emitter.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := e.Emit(ctx, "jobs-1", []byte(`{}`))
	if !errors.Is(err, emitter.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := e.Pending(); n != 0 {
		t.Errorf("%d events are still pending: one that was not sent is withdrawn", n)
	}
	broker.Up()
	if err := e.Emit(t.Context(), "jobs-2", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 1 {
		t.Errorf("%d events in the queue: the withdrawn one was sent", n)
	}
}

func TestTimeoutEndsAnEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, _ := installation(t, 1)
		broker.Block("disk")
		e := over(t, broker, emitter.Options{})
		began := time.Now()
		err := e.Emit(t.Context(), "jobs-1", []byte(`{}`))
		if !errors.Is(err, emitter.ErrUnknown) || !strings.Contains(err.Error(), "disk") {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestWindowLimitsPendingEvents(t *testing.T) {
	broker, _ := installation(t, 1)
	broker.Block("memory")
	e := over(t, broker, emitter.Options{Window: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := e.EmitBatch(ctx, numbered("a", 10))
	problem, ok := errors.AsType[*emitter.BatchError](err)
	if !ok || len(problem.Failures) != 10 {
		t.Fatalf("%v", err)
	}
	if n := e.Pending(); n > 3 {
		t.Errorf("%d pending", n)
	}
}

func TestQuietNeverReturnsAnError(t *testing.T) {
	broker, _ := installation(t, 1)
	core, logs := observer.New(zap.DebugLevel)
	e := over(t, broker, emitter.Options{Quiet: true, Window: 5, Logger: zap.New(core)})
	broker.Down()
	began := time.Now()
	for range 20 {
		if err := e.Emit(t.Context(), "jobs-1", []byte(`{"a":"not in a log"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Emit(t.Context(), "nonsense", nil); err != nil {
		t.Fatal(err)
	}
	if err := e.EmitBatch(t.Context(), []emitter.Event{{}}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("business code waited %v for a broker that is away", took)
	}
	if n := e.Failed(); n != 17 {
		t.Errorf("%d failed, want the 15 beyond the window and 2 invalid ones", n)
	}
	if logs.Len() != 1 {
		t.Errorf("%d lines in the log, want one in ten seconds", logs.Len())
	}
	for _, line := range logs.All() {
		if text := fmt.Sprint(line.Message, line.ContextMap()); strings.Contains(text, "jobs-1") || strings.Contains(text, "not in a log") {
			t.Errorf("a group or payload in the log: %s", text)
		}
	}
	broker.Up()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 5 {
		t.Errorf("%d events in the queue, want the 5 of the window", n)
	}
}

func TestCloseFlushesThenRefuses(t *testing.T) {
	broker, _ := installation(t, 1)
	broker.Block("memory")
	e := over(t, broker, emitter.Options{Quiet: true})
	for i := range 10 {
		_ = e.Emit(t.Context(), fmt.Sprintf("jobs-%d", i), []byte(`{}`))
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close(t.Context()) }()
	broker.Unblock()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 10 {
		t.Errorf("%d of 10 events", n)
	}
	loud := over(t, broker, emitter.Options{})
	if err := loud.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := loud.Emit(t.Context(), "jobs-1", []byte(`{}`)); !errors.Is(err, emitter.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseReportsUnconfirmedEvents(t *testing.T) {
	broker, _ := installation(t, 1)
	broker.Block("memory")
	e := over(t, broker, emitter.Options{})
	emitted := make(chan error, 1)
	go func() { emitted <- e.EmitBatch(t.Context(), numbered("a", 3)) }()
	for e.Pending() < 3 {
		if !pause(t) {
			return
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Close(ctx); err == nil || !strings.Contains(err.Error(), "3 events were not confirmed") {
		t.Errorf("Close: %v", err)
	}
	if err := <-emitted; !errors.Is(err, emitter.ErrClosed) {
		t.Errorf("the batch: %v", err)
	}
}

// pause lets other goroutines run for a millisecond. It reports false when the test has
// ended.
func pause(t *testing.T) bool {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.Context().Done():
		return false
	}
}
