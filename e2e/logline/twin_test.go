package logline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// twin is the broker in memory. It lives in a bubble, in virtual time.
type twin struct{ broker *membus.Broker }

func (n *twin) open(t testing.TB, name string) amqpbus.Bus {
	b := n.broker.Open(name)
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}

func (n *twin) cut(b amqpbus.Bus)  { n.broker.CutBus(b) }
func (n *twin) away(b amqpbus.Bus) { n.broker.Disconnect(b) }

func (n *twin) restart(testing.TB) {
	n.broker.Down()
	late := time.NewTimer(5 * time.Second)
	<-late.C
	n.broker.Up()
}

func TestOverTheTwin(t *testing.T) {
	for _, shards := range []int{1, 3} {
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					play(t, &twin{membus.New()}, shards, s.play)
				})
			})
		}
	}
}
