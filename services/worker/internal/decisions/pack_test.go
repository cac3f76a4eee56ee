package decisions

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
)

// A pack's questions are decided at the same time: one that waits for the
// application holds none of the others up. The pack is acked with the last.
func TestQuestionsOfAPackAreApart(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		w := r.start(Options{Authorizer: authorize(func(_ context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
			if string(id.User) == "666" {
				<-release
			}
			return access.Result{Allowed: groups}, nil
		})})
		r.pack(connecting(1, "good"), subscribing(2, "666", "a-1"), subscribing(3, "7", "a-1"))
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{1, 3}) {
			t.Errorf("answered: %v, while 2 waits for the application", got)
		}
		r.broker.CutBus(w.bus) // not acked: it comes again
		pass(time.Second)
		if got := r.answered(); !slices.Equal(got, []protocol.QuestionID{1, 3}) {
			t.Errorf("answered again: %v", got)
		}
		close(release)
		if got := r.answered(); !slices.Equal(got, []protocol.QuestionID{2}) {
			t.Errorf("answered at last: %v", got)
		}
		if left := r.take(amqpbus.QueueQuestions); len(left) != 0 {
			t.Error("the pack was not acked")
		}
	})
}

// What a stop has no time for takes its whole pack to another worker.
func TestAnAbandonedQuestionTakesItsPackAlong(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		w := r.start(Options{Authorizer: authorize(func(ctx context.Context, _ auth.Identity, _ []protocol.Group) (access.Result, error) {
			<-ctx.Done()
			return access.Result{}, ctx.Err()
		})})
		r.pack(connecting(1, "good"), subscribing(2, "7", "a-1"))
		synctest.Wait()
		r.stop(w)
		r.start(Options{})
		if got := r.answered(); !slices.Equal(got, []protocol.QuestionID{1, 2}) {
			t.Errorf("answered: %v", got)
		}
		if left := r.take(amqpbus.QueueQuestions); len(left) != 0 {
			t.Error("the pack was not acked")
		}
	})
}

// What cannot be understood is parked without its body, alone: its pack's other
// questions are answered.
func TestPacksThatCannotBeUnderstood(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		r.pack(protocol.Packed{Type: protocol.TypeConnect, Body: []byte("{" + secret)}, connecting(1, "good"), protocol.Packed{Type: "unheard-of"})
		r.ask(protocol.TypePack, []byte("\x01\x02"+secret))
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{1}) {
			t.Errorf("answered: %v", got)
		}
		dead := r.take(amqpbus.QueueDead)
		if len(dead) != 3 {
			t.Errorf("%d notes were parked, want 3", len(dead))
		}
		for _, d := range dead {
			if len(d.Body) != 0 {
				t.Error("a body was parked, which may hold a token")
			}
		}
		for reason, want := range map[string]float64{parkedDecode: 2, parkedUnknown: 1} {
			if n := testutil.ToFloat64(r.metrics.parked.WithLabelValues(reason)); n != want {
				t.Errorf("%v were parked for reason %s, want %v", n, reason, want)
			}
		}
	})
}

// A pack of a user who is no gateway is one message, and is not looked into.
func TestPackOfAStranger(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		stranger := r.broker.Open("backend")
		defer func() { _ = stranger.Close(context.Background()) }()
		pub, err := stranger.OpenPublisher(t.Context(), 10)
		r.must(err)
		r.askAs(pub, protocol.TypePack, protocol.EncodePack([]protocol.Packed{connecting(1, "good"), connecting(2, "good")}))
		if got := r.decisions(); len(got) != 0 {
			t.Errorf("answered: %v", got)
		}
		if n := testutil.ToFloat64(r.metrics.parked.WithLabelValues(parkedUser)); n != 1 {
			t.Errorf("%v were parked, want 1", n)
		}
	})
}

// A pack takes all places for 4.5 s; what is received meanwhile waits in the
// consumer. Its asker waits 5 s, and so does the worker.
func TestNobodyWorksForTheDead(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		began := time.Now()
		var mu sync.Mutex
		var last time.Duration
		r.start(Options{Handlers: 2, Authorizer: authorize(func(ctx context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
			mu.Lock()
			last = max(last, time.Since(began))
			mu.Unlock()
			select {
			case <-time.After(4500 * time.Millisecond):
				return access.Result{Allowed: groups}, nil
			case <-ctx.Done():
				return access.Result{}, ctx.Err()
			}
		})})
		r.pack(subscribing(1, "7", "a-1"), subscribing(2, "7", "a-1"), subscribing(3, "7", "a-1"), subscribing(4, "7", "a-1"))
		pass(100 * time.Millisecond)
		r.pack(subscribing(5, "7", "a-1"), subscribing(6, "7", "a-1"), subscribing(7, "7", "a-1"))
		pass(20 * time.Second)
		if last > 5200*time.Millisecond {
			t.Errorf("the application is asked for somebody who asked %v ago", last-100*time.Millisecond)
		}
	})
}

// A type that no message may have makes a pack one that cannot be understood.
func TestALongTypeIsParked(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		r.pack(protocol.Packed{Type: strings.Repeat("x", 300)}, connecting(1, "good"))
		r.pack(protocol.Packed{Type: "x"}, connecting(2, "good"))
		if dead := r.take(amqpbus.QueueDead); len(dead) != 2 {
			t.Errorf("%d notes were parked, want 2", len(dead))
		}
	})
}
