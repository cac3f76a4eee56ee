package decisions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
)

// TestSlowApplicationDelaysNobodyElse: an application that does not answer delays neither
// handshakes nor subscriptions that need no application.
func TestSlowApplicationDelaysNobodyElse(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{Authorizer: authorize(func(ctx context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
			if string(id.User) == "666" {
				<-ctx.Done()
				return access.Result{}, ctx.Err()
			}
			return access.Result{Allowed: groups}, nil
		})})
		const slow = 800
		for q := range protocol.QuestionID(slow) {
			r.subscribe(q+1, "666", "job_events-1")
		}
		r.connect(1001, "good")
		r.subscribe(1002, "7", "job_events-1")
		got := r.decisions()
		if want := []protocol.QuestionID{1001, 1002}; !slices.Equal(questions(got), want) {
			t.Fatalf("answered were %d questions while %d waited for the application, want %v", len(got), slow, want)
		}
		for q, d := range got {
			if d.Verdict != protocol.VerdictAccept {
				t.Errorf("question %d: %s %s", q, d.Verdict, d.Reason)
			}
		}
	})
}

// TestNoAnswerAfterDeadline: the gateway has given up by then.
func TestNoAnswerAfterDeadline(t *testing.T) {
	for name, heeds := range map[string]bool{"heeds its context": true, "does not": false} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, r *rig) {
				release := make(chan struct{})
				r.start(Options{Authenticator: authenticate(func(ctx context.Context, _ protocol.Token) (auth.Identity, error) {
					if heeds {
						<-ctx.Done()
						return auth.Identity{}, ctx.Err()
					}
					<-release
					return everybody(ctx, protocol.Token{})
				})})
				r.connect(1, "good")
				pass(questionTime + time.Millisecond)
				close(release)
				if got := r.decisions(); len(got) != 0 {
					t.Errorf("answered: %v", got)
				}
				if left := r.drain(amqpbus.QueueQuestions); len(left) != 0 {
					t.Errorf("the question was not acked")
				}
				if n := testutil.ToFloat64(r.metrics.answers.WithLabelValues(answerLate)); n != 1 {
					t.Errorf("%v late answers were counted", n)
				}
			})
		})
	}
}

// TestExpiredQuestionIsNotReceived: questions expire in the queue when their gateway gives
// up, so a worker that starts late does not get them.
func TestExpiredQuestionIsNotReceived(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.must(r.pub.Publish(t.Context(), amqpbus.Message{
			Exchange: amqpbus.ExchangeQuestions, Key: amqpbus.QueueQuestions, Type: protocol.TypeConnect, Expiration: questionTime,
			Body: protocol.Connect{Gateway: gatewayID, Conn: 1, Question: 1, Token: protocol.NewToken("good")}.Encode(),
		}, nil))
		pass(questionTime + time.Millisecond)
		r.start(Options{})
		if got := r.decisions(); len(got) != 0 {
			t.Errorf("answered: %v", got)
		}
	})
}

// TestQuestionsAreAnsweredConcurrently: with several workers every question is answered once,
// and all are decided at the same time.
func TestQuestionsAreAnsweredConcurrently(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		const all = 300
		var now, most atomic.Int64
		release := make(chan struct{})
		o := Options{Authorizer: authorize(func(_ context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			<-release
			return access.Result{Allowed: groups[:1], Denied: groups[1:]}, nil
		})}
		r.start(o)
		r.start(o)
		for q := range protocol.QuestionID(all) {
			r.subscribe(q+1, "7", protocol.Group(fmt.Sprintf("a-%d", q+1)), "b-1")
		}
		synctest.Wait()
		if n := now.Load(); n != all {
			t.Errorf("%d of %d questions are being decided", n, all)
		}
		close(release)
		got := r.decisions()
		if len(got) != all {
			t.Fatalf("%d of %d questions were answered", len(got), all)
		}
		by := map[string]int{}
		for q, d := range got {
			if d.Conn != protocol.ConnID(q) || fmt.Sprint(d.Allowed) != fmt.Sprintf("[a-%d]", q) {
				t.Errorf("question %d got another's answer: %+v", q, d)
			}
			by[d.Worker]++
		}
		if len(by) != 2 {
			t.Errorf("answers by worker: %v", by)
		}
	})
}

// TestHandlersAreBounded: at most Handlers questions are decided at a time; the others wait.
func TestHandlersAreBounded(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		var now atomic.Int64
		places := make(chan struct{})
		r.start(Options{Handlers: 3, Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
			now.Add(1)
			<-places
			now.Add(-1)
			return everybody(ctx, token)
		})})
		for q := range protocol.QuestionID(10) {
			r.connect(q+1, "good")
		}
		for range 10 {
			synctest.Wait()
			if n := now.Load(); n > 3 {
				t.Errorf("%d questions are being decided, 3 are allowed", n)
			}
			places <- struct{}{}
		}
		if got := r.decisions(); len(got) != 10 {
			t.Errorf("%d of 10 questions were answered", len(got))
		}
	})
}

// TestPanicAffectsOneQuestion: a question whose decision panics is answered, and others are
// not affected.
func TestPanicAffectsOneQuestion(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{
			Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
				if token.Reveal() == secret {
					panic("no good: " + token.Reveal())
				}
				return everybody(ctx, token)
			}),
			Authorizer: authorize(func(_ context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
				if string(id.User) == "666" {
					return access.Result{Allowed: groups[len(groups)+1:]}, nil // the runtime's own panic
				}
				return access.Result{Allowed: groups}, nil
			}),
		})
		r.connect(1, secret)
		r.connect(2, "good")
		r.subscribe(3, "666", "a-1")
		r.subscribe(4, "7", "a-1")
		got := r.decisions()
		for q, want := range map[protocol.QuestionID]protocol.Verdict{
			1: protocol.VerdictUnavailable, 2: protocol.VerdictAccept, 3: protocol.VerdictUnavailable, 4: protocol.VerdictAccept,
		} {
			if got[q].Verdict != want {
				t.Errorf("question %d: got %q, want %q", q, got[q].Verdict, want)
			}
		}
		if n := testutil.ToFloat64(r.metrics.panics); n != 2 {
			t.Errorf("%v panics were counted, want 2", n)
		}
		if n := r.logs.FilterMessage("bug: panic while deciding a question: the client is told to try again").Len(); n != 2 {
			t.Errorf("%d panics were logged, want 2", n)
		}
		r.noSecret()
	})
}

// noSecret checks that no log line contains the token.
func (r *rig) noSecret() {
	r.t.Helper()
	if r.logs.Len() == 0 {
		r.t.Error("nothing was logged: is this the right logger?")
	}
	for _, entry := range r.logs.All() {
		if text := fmt.Sprint(entry.Message, entry.ContextMap(), entry.Stack); strings.Contains(text, secret) {
			r.t.Errorf("the token is in the log: %s", text)
		}
	}
}

// TestStopAnswersReceivedQuestions, and receives no more.
func TestStopAnswersReceivedQuestions(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		w := r.start(Options{Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
			<-release
			return everybody(ctx, token)
		})})
		r.connect(1, "good")
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- w.server.Stop(context.Background()) }()
		synctest.Wait()
		r.connect(2, "good")
		synctest.Wait()
		close(release)
		if err := <-stopped; err != nil {
			t.Errorf("stop: %v", err)
		}
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{1}) {
			t.Errorf("answered: %v, want 1 alone", got)
		}
		if left := r.drain(amqpbus.QueueQuestions); len(left) != 1 {
			t.Errorf("%d questions are left for another worker, want 1", len(left))
		}
	})
}

// TestStopAbandonsToAnotherWorker: a question for which a stop has no time is delivered to
// another worker, which answers it.
func TestStopAbandonsToAnotherWorker(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		w := r.start(Options{Authenticator: authenticate(func(ctx context.Context, _ protocol.Token) (auth.Identity, error) {
			<-ctx.Done()
			return auth.Identity{}, ctx.Err()
		})})
		for q := range protocol.QuestionID(20) {
			r.connect(q+1, "good")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.server.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
		if got := r.decisions(); len(got) != 0 {
			t.Errorf("abandoned and answered: %v", questions(got))
		}
		r.start(Options{})
		got := r.decisions()
		for _, d := range got {
			if d.Verdict != protocol.VerdictAccept || d.Worker != "worker.2" {
				t.Errorf("got %+v", d)
			}
		}
		if len(got) != 20 {
			t.Errorf("%d of 20 were answered by the other worker", len(got))
		}
	})
}

// TestLinkLostWhileDeciding: questions that are being decided when the link is cut are
// delivered again, and all are answered.
func TestLinkLostWhileDeciding(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		w := r.start(Options{Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return everybody(ctx, token)
		})})
		for q := range protocol.QuestionID(20) {
			r.connect(q+1, "good")
		}
		synctest.Wait()
		r.broker.CutBus(w.bus)
		synctest.Wait()
		if why := w.server.Ready(); len(why) != 1 {
			t.Errorf("ready without a consumer: %v", why)
		}
		close(release)
		pass(time.Second)
		if why := w.server.Ready(); len(why) != 0 {
			t.Errorf("not ready: %v", why)
		}
		if got := r.answered(); len(got) != 20 { // twice is allowed: the number tells
			t.Errorf("%d of 20 were answered", len(got))
		}
	})
}

// TestAnswerIsSentAgainAfterALostConfirm: an answer whose confirm is lost with the link is
// sent again.
func TestAnswerIsSentAgainAfterALostConfirm(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		w := r.start(Options{})
		var once sync.Once
		r.broker.SetPublishHook(func(user string, m amqpbus.Message) membus.Fate {
			fate := membus.FatePass
			if m.Type == protocol.TypeDecision {
				once.Do(func() { fate = membus.FateDrop })
			}
			return fate
		})
		r.connect(1, "good")
		synctest.Wait()
		r.broker.CutPublishing(w.bus)
		pass(time.Second)
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{1}) {
			t.Errorf("answered: %v", got)
		}
	})
}

// TestAnswerToGoneGateway: questions of a gateway that is gone are acked, and delay nobody.
func TestAnswerToGoneGateway(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{})
		r.ask(protocol.TypeConnect, protocol.Connect{Gateway: "gone.1", Conn: 1, Question: 1, Token: protocol.NewToken("good")}.Encode())
		r.connect(2, "good")
		if got := questions(r.decisions()); !slices.Equal(got, []protocol.QuestionID{2}) {
			t.Errorf("answered: %v", got)
		}
		if n := testutil.ToFloat64(r.metrics.answers.WithLabelValues(answerGone)); n != 1 {
			t.Errorf("%v answers to nobody were counted", n)
		}
		if left := r.drain(amqpbus.QueueQuestions); len(left) != 0 {
			t.Error("the question is still there")
		}
	})
}
