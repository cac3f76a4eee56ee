package logline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

// pass lets virtual time pass.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// TestADeadGatewayIsTold once, also when the leading worker dies after it; one that stops
// in order is not.
func TestADeadGatewayIsTold(t *testing.T) {
	for name, leaderDies := range map[string]bool{"the leader lives": false, "the leader dies, too": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &twin{membus.New()}
				l := newLine(t, n, 1, 2, 2)
				defer l.stop()
				const queue = "a-service"
				err := l.emitter.Declare(t.Context(), amqpbus.Topology{
					Queues: []amqpbus.Queue{{Name: queue}}, Bindings: []amqpbus.Binding{{Exchange: amqpbus.ExchangeEvents, Queue: queue, Key: "#"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				l.join(l.gateways[0], "jobs-1")
				l.join(l.gateways[1], "jobs-1")
				if err := l.gateways[1].driver.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if err := l.emitter.Delete(t.Context(), amqpbus.ReplyQueue("gateway2.x")); err != nil {
					t.Error(err)
				}
				n.away(l.gateways[0].bus)
				pass(20 * time.Second)
				if leaderDies {
					w := l.leader(0)
					w.dead = true
					n.away(w.bus)
				}
				pass(3 * time.Minute)

				con, err := l.emitter.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 10})
				if err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got, err := con.Receive(ctx, 10)
				if err != nil || len(got) != 1 || got[0].Key != string(protocol.LifeGatewayLost) || got[0].ID != "gateway1.x.lost" {
					t.Errorf("told: %+v, %v", got, err)
				}
			})
		})
	}
}
