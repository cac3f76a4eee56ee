package relay

import (
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
		r.must(r.worker.Delete(t.Context(), amqpbus.QueueSession))
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
		warned, found := logs.FilterMessage("not ready: "+astrayReason), logs.FilterMessageSnippet("questions reach")
		if warned.Len() != 1 || warned.All()[0].Level != zap.WarnLevel || found.Len() != 1 {
			t.Errorf("the log says %+v", logs.All())
		}
		r.take(amqpbus.QueueSession) // it is there: this fails otherwise
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
