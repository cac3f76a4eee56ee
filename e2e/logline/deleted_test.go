package logline

import (
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// TestALogThatIsDeleted costs what it held: every member is told of one gap, and what is
// emitted when the log is there again comes in order.
func TestALogThatIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &twin{membus.New()}
		l := newLine(t, n, 1, 2, 2)
		defer l.stop()
		a := l.join(l.gateways[0], "jobs-1")
		b := l.join(l.gateways[1], "jobs-1")
		l.emit(100, "jobs-1")
		l.settled(l.gateways[0], a, "jobs-1")
		l.settled(l.gateways[1], b, "jobs-1")
		if err := l.emitter.Delete(t.Context(), amqpbus.LogQueue(1, 0)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		l.emit(100, "jobs-1")
		l.settled(l.gateways[0], a, "jobs-1")
		l.settled(l.gateways[1], b, "jobs-1")
		for i, g := range l.gateways {
			g.hub.mu.Lock()
			if g.hub.gaps != 1 || g.hub.closed != 0 {
				t.Errorf("gateway %d told %d gaps, and closed all connections %d times", i+1, g.hub.gaps, g.hub.closed)
			}
			g.hub.gaps = 0
			g.hub.mu.Unlock()
			g.hub.judge()
		}
	})
}
