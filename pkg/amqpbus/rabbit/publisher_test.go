package rabbit

import (
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// An idle publisher's ticker holds a tick from before the publish.
func TestSilenceIsNotCountedBeforeThePublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{bus: &bus{}}
		tick := time.NewTicker(verdictWithin / 10)
		defer tick.Stop()
		time.Sleep(59990 * time.Millisecond)
		began := time.Now()
		silent := p.awaitConfirm(pending{confirm: &amqp.DeferredConfirmation{}}, tick.C)
		if took := time.Since(began); took < verdictWithin-time.Millisecond {
			t.Errorf("%v of silence were counted in %v", silent, took)
		}
	})
}
