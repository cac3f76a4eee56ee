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

// TestQuestionsOfPackAreConcurrent: a question that waits for the application does not delay
// the others of its pack. The pack is acked after the last answer.
func TestQuestionsOfPackAreConcurrent(t *testing.T) {
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
		if left := r.drain(amqpbus.QueueQuestions); len(left) != 0 {
			t.Error("the pack was not acked")
		}
	})
}

// TestAbandonedPackGoesToAnotherWorker: if a stop has no time for one question of a pack, the
// whole pack is delivered to another worker.
func TestAbandonedPackGoesToAnotherWorker(t *testing.T) {
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
		if left := r.drain(amqpbus.QueueQuestions); len(left) != 0 {
			t.Error("the pack was not acked")
		}
	})
}

// TestInvalidMessagesInPacks: a message that cannot be decoded is parked without its body,
// and the other questions of its pack are answered.
func TestInvalidMessagesInPacks(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		r.pack(protocol.Packed{Type: protocol.TypeConnect, Body: []byte("{" + secret)}, connecting(1, "good"), protocol.Packed{Type: "unheard-of"})
		r.ask(protocol.TypePack, []byte("\x01\x02"+secret))
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{1}) {
			t.Errorf("answered: %v", got)
		}
		dead := r.drain(amqpbus.QueueDead)
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

// TestPackOfAStranger: a pack from a broker user that is not a gateway is parked as one
// message, without decoding it.
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

// TestLateQuestionsAreNotDecided: a pack occupies all handlers for 4.5 s. Questions that are
// received meanwhile have 5 s from their receipt, as their gateway has, and are not decided
// after that.
func TestLateQuestionsAreNotDecided(t *testing.T) {
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

// TestPackWithLongTypeIsParked: a pack with a type that is too long cannot be decoded.
func TestPackWithLongTypeIsParked(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		r.pack(protocol.Packed{Type: strings.Repeat("x", 300)}, connecting(1, "good"))
		r.pack(protocol.Packed{Type: "x"}, connecting(2, "good"))
		if dead := r.drain(amqpbus.QueueDead); len(dead) != 2 {
			t.Errorf("%d notes were parked, want 2", len(dead))
		}
	})
}
