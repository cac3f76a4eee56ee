package amqpbus

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestBackoff pauses longer and longer while nothing lives for long, up to the
// bound, and starts over behind something that did.
func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		most  time.Duration
		lived time.Duration // what was opened, before the next pause
		means []time.Duration
	}{
		{0, 0, []time.Duration{200, 400, 800, 1600, 3200, 5000, 5000}},
		{time.Second, 4 * time.Second, []time.Duration{200, 400, 800, 1000, 1000}},
		{0, 6 * time.Second, []time.Duration{200, 200, 200}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := Backoff{Most: c.most}
			for i, mean := range c.means {
				mean *= time.Millisecond
				from := time.Now()
				b.Wait(t.Context())
				if took := time.Since(from); took < mean/2 || took > mean*3/2 {
					t.Errorf("pause %d took %v, want about %v", i+1, took, mean)
				}
				<-time.After(c.lived)
			}
			ended, end := context.WithCancel(t.Context())
			end()
			from := time.Now()
			if b.Wait(ended); time.Since(from) > 0 {
				t.Error("it waits for longer than its context lives")
			}
		})
	}
}
