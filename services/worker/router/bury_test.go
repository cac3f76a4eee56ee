package router

import (
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// unroutable passes time, with everything for a gateway returned and the rest
// confirmed; the life reports seen are given back.
func (r *rig) unroutable(gateway protocol.GatewayID, d time.Duration) (reports []sent) {
	r.t.Helper()
	for end := r.now.Add(d); r.now.Before(end); {
		r.pass(100 * time.Millisecond)
		for len(r.air) > 0 {
			next := r.air[0]
			r.air = r.air[1:]
			switch {
			case next.Exchange == amqpbus.ExchangeEvents:
				reports = append(reports, next)
				r.settle(next, nil)
			case next.Key == string(gateway):
				r.settle(next, amqpbus.ErrUnroutable)
			default:
				r.settle(next, nil)
			}
		}
	}
	return reports
}

func TestAGatewayWithoutAQueueIsBuriedAfterThreeHeartbeats(t *testing.T) {
	r := newRig(t)
	r.settle(r.lag(amqpbus.ErrUnroutable), nil)
	if reports := r.unroutable(one, 14*time.Second); len(reports) != 0 || r.core.Stats().Gateways != 2 {
		t.Fatal("buried before three heartbeats had passed")
	}
	r.beats(two, 1, "a-1")
	r.confirm()
	reports := r.unroutable(one, 2*time.Second)
	if len(reports) != 1 {
		t.Fatalf("%d life reports, want one", len(reports))
	}
	report := read[protocol.LifeReport](t, reports[0])
	if reports[0].Key != string(protocol.LifeGatewayLost) || reports[0].ID != string(one)+".lost" || report.Gateway != one || report.Reason != "lost" {
		t.Fatalf("the report with key %q and id %q says %+v", reports[0].Key, reports[0].ID, report)
	}
	if s := r.core.Stats(); s.Gateways != 1 || s.Lost != 1 || s.Lagging != 0 {
		t.Fatalf("stats %+v, want one gateway left", s)
	}
	r.emit("a-1", "e2")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, two, 2, "e2")
	if reports := r.unroutable(one, time.Minute); len(reports) != 0 {
		t.Fatal("buried twice")
	}
}

func TestAGatewayThatSpeaksIsNotBuried(t *testing.T) {
	r := newRig(t)
	r.settle(r.lag(amqpbus.ErrUnroutable), nil)
	for range 6 {
		r.unroutable(one, 5*time.Second)
		r.beats(one, 1, "a-1")
		r.beats(two, 1, "a-1")
		r.confirm()
	}
	if r.core.Stats().Gateways != 2 {
		t.Fatal("a gateway whose heartbeats come through the queue was buried")
	}
}

func TestAGatewayThatIsSilentButTakesBatchesIsNotBuried(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.unroutable("", time.Minute)
	if r.core.Stats().Gateways != 1 {
		t.Fatal("silence alone is not death")
	}
}

// While the shard's queue is full no heartbeat can come through it.
func TestNobodyIsBuriedWhileTheShardsQueueIsFull(t *testing.T) {
	r := newRig(t)
	lost := r.lag(amqpbus.ErrUnroutable)
	r.settle(lost, amqpbus.ErrRefused)
	for range 300 {
		r.pass(100 * time.Millisecond)
		for len(r.air) > 0 {
			next := r.air[0]
			r.air = r.air[1:]
			switch {
			case next.Type == protocol.TypeLost:
				r.settle(next, amqpbus.ErrRefused)
			case next.Key == string(one):
				r.settle(next, amqpbus.ErrUnroutable)
			default:
				r.settle(next, nil)
			}
		}
	}
	if r.core.Stats().Gateways != 2 {
		t.Fatal("a gateway was buried though the queue took nothing")
	}
}

// Nothing more is published there once the gateway that lagged has said bye.
func TestTheWordOfAFullQueueAges(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"b-1"}})
	r.emit("a-1", "e1")
	r.settle(r.only(protocol.TypeBatch), amqpbus.ErrRefused)
	r.settle(r.only(protocol.TypeLost), amqpbus.ErrRefused)
	bye := protocol.Bye{Stamp: protocol.Stamp{Gateway: one, Link: 1, Revision: 1}}
	r.deliver(r.control(gatewayUser, protocol.TypeBye, protocol.Encode(bye)))
	r.unroutable(two, 40*time.Second)
	if s := r.core.Stats(); s.Lost != 1 || s.Gateways != 0 {
		t.Fatalf("stats %+v, want the dead gateway buried", s)
	}
}

func TestOnlyShardZeroTellsOfADeath(t *testing.T) {
	r := newRigOf(t, 2, 1)
	group := protocol.Group("a-1")
	for i := 2; protocol.ShardOf(group, 2) != 1; i++ {
		group = protocol.Group("a-" + string(rune('0'+i)))
	}
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {group}})
	if reports := r.unroutable(one, 20*time.Second); len(reports) != 0 {
		t.Fatal("shard 1 published a report")
	}
	if s := r.core.Stats(); s.Lost != 1 || s.Gateways != 0 {
		t.Fatalf("stats %+v, want the gateway buried", s)
	}
}

func TestAGatewayThatComesBackSeesAHole(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.emit("a-1", "e1")
	r.settle(r.only(protocol.TypeBatch), amqpbus.ErrUnroutable)
	r.unroutable(one, 16*time.Second)
	if r.core.Stats().Gateways != 0 {
		t.Fatal("not buried")
	}
	r.joins(one, 2, "a-2")
	if gap := r.only(protocol.TypeGap); gap.Key != string(one) {
		t.Fatalf("the gap goes to %q", gap.Key)
	}
	r.emit("a-2", "e2")
	batch, err := protocol.DecodeBatch(r.only(protocol.TypeBatch).Body)
	if err != nil || batch.Sequence < 2 {
		t.Fatalf("batch %d after one was lost, %v", batch.Sequence, err)
	}
}

func TestByeLetsGo(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"b-1"}})
	for _, id := range ids(1, maxFlying+2) {
		r.emit("a-1", id)
	}
	air := r.take(protocol.TypeBatch)
	bye := protocol.Bye{Stamp: protocol.Stamp{Gateway: one, Link: 1, Revision: 1}}
	r.deliver(r.control(gatewayUser, protocol.TypeBye, protocol.Encode(bye)))
	for _, s := range air {
		r.settle(s, amqpbus.ErrUnroutable) // its queue is gone already
	}
	r.none(protocol.TypeLost)
	r.none(protocol.TypeBatch)
	r.ackedThrough(r.tag)
	if s := r.core.Stats(); s.Gateways != 1 || s.Lagged != 0 || s.Lost != 0 {
		t.Fatalf("stats %+v, want one gateway and no loss", s)
	}
	r.ackedThrough(r.emit("a-1", "e9"))
}

func TestByeOfALaggingGatewayLetsItsLossesGo(t *testing.T) {
	r := newRig(t)
	lost := r.lag(amqpbus.ErrRefused)
	r.settle(lost, nil)
	tag := r.comes(lost)
	r.ackedThrough(tag - 1)
	bye := protocol.Bye{Stamp: protocol.Stamp{Gateway: one, Link: 1, Revision: 1}}
	r.ackedThrough(r.deliver(r.control(gatewayUser, protocol.TypeBye, protocol.Encode(bye))))
}
