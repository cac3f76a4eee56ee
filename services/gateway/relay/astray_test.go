package relay

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// TestAQuestionThatComesBack: somebody has deleted the queue of questions. The
// gateway says so, at once and once, brings the queue back, and is ready again.
func TestAQuestionThatComesBack(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		core, logs := observer.New(zap.InfoLevel)
		r.relay.log = zap.New(core) // nothing logs yet
		r.send(protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: "worker.test"}))
		if why := r.relay.Ready(); len(why) > 0 {
			t.Fatalf("not ready before: %q", why)
		}
		r.relay.keep.Soon()
		synctest.Wait() // it looked, and rests for a second
		r.must(r.worker.Delete(t.Context(), amqpbus.QueueQuestions))
		for range 3 {
			if _, err := r.relay.Connect(t.Context(), 7, protocol.NewToken("secret"), ""); !errors.Is(err, amqpbus.ErrUnroutable) {
				t.Errorf("asked: %v", err)
			}
		}
		if why := r.relay.Ready(); !slices.Equal(why, []string{astrayReason}) {
			t.Errorf("ready: %q", why)
		}
		pass(2 * time.Second)
		if why := r.relay.Ready(); len(why) > 0 {
			t.Errorf("not ready again: %q", why)
		}
		warned, found := logs.FilterMessageSnippet("not ready: questions to workers come back"), logs.FilterMessageSnippet("questions reach")
		if warned.Len() != 1 || warned.All()[0].Level != zap.WarnLevel || found.Len() != 1 {
			t.Errorf("the log says %+v", logs.All())
		}
		r.take(amqpbus.QueueQuestions) // it is there: this fails otherwise
	})
}

// TestAQuestionThatComesBackAndNobodyMends it: the gateway may not declare, or
// cannot. After a while one client may try.
func TestAQuestionThatComesBackAndNobodyMends(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.send(protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: "worker.test"}))
		r.relay.astray.published(amqpbus.ErrUnroutable)
		if why := r.relay.astray.reason(time.Now()); why != astrayReason {
			t.Errorf("ready: %q", why)
		}
		r.relay.astray.looked(errors.New("no permission"))
		if why := r.relay.astray.reason(time.Now().Add(astrayFor - time.Second)); why != astrayReason {
			t.Errorf("ready: %q", why)
		}
		if why := r.relay.astray.reason(time.Now().Add(astrayFor)); why != "" {
			t.Errorf("still not ready: %q", why)
		}
		r.relay.astray.published(nil)
		if why := r.relay.astray.reason(time.Now()); why != "" {
			t.Errorf("still not ready: %q", why)
		}
	})
}

// TestWorkersThatDoNotAnswer: the workers' BELFRY_GATEWAY_USERS does not name this
// gateway's broker user, or its own BELFRY_WORKER_USERS not theirs. The reason
// names user and variable.
func TestWorkersThatDoNotAnswer(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		say := func(worker protocol.WorkerID, gateways ...string) {
			r.send(protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: worker, Gateways: gateways}))
		}
		say("w.1", "someone", "another")
		const refused = `no worker answers the broker user "gateway" of this gateway: BELFRY_GATEWAY_USERS of the workers names another, someone`
		if why := r.relay.Ready(); !slices.Equal(why, []string{refused}) {
			t.Errorf("ready: %q", why)
		}
		say("w.2", "gateway")
		if why := r.relay.Ready(); len(why) > 0 {
			t.Errorf("one worker answers, and not ready: %q", why)
		}
		say("w.1") // it does not say, as older ones
		pass(workerAway + time.Second)
		stranger := r.broker.Open("worker-2")
		pub, err := stranger.OpenPublisher(t.Context(), 1)
		r.must(err)
		r.sendAs(pub, protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: "w.3"}))
		pass(time.Minute) // the trusted ones are forgotten by now
		r.sendAs(pub, protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: "w.3"}))
		why := r.relay.Ready()
		if !slices.Contains(why, `messages of the broker user "worker-2" are passed over: BELFRY_WORKER_USERS names "worker"`) {
			t.Errorf("ready: %q", why)
		}
		_ = stranger.Close(context.Background())
	})
}
