package emitter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

// TestQuietStopsWaitingForRoom: with Quiet, code that waits for room in the window stops
// waiting when an alarm begins or the link is lost, not only at its time-out.
func TestQuietStopsWaitingForRoom(t *testing.T) {
	for name, trouble := range map[string]func(*membus.Broker){
		"alarm": func(b *membus.Broker) { b.Block("low on memory") },
		"away":  func(b *membus.Broker) { b.Down() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker, _ := installation(t, 1)
				e := over(t, broker, emitter.Options{Quiet: true, Window: 5})
				broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateLoseConfirm })
				began := time.Now()
				returned := make(chan time.Duration, 50)
				for range cap(returned) {
					go func() {
						_ = e.Emit(t.Context(), "jobs-summary", []byte("1"))
						returned <- time.Since(began)
					}()
				}
				synctest.Wait()
				if n := len(returned); n != 5 {
					t.Fatalf("%d of 50 returned, and 5 have room", n)
				}
				trouble(broker)
				for range cap(returned) {
					if took := <-returned; took > 0 {
						t.Fatalf("one was held for %v", took)
					}
				}
			})
		})
	}
}
