package router

import (
	"errors"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// comes delivers an own lost message, as the queue brings it back.
func (r *rig) comes(lost sent) uint64 {
	r.t.Helper()
	d := r.control(workerUser, protocol.TypeLost, lost.Body)
	d.ID = lost.ID
	return r.deliver(d)
}

// lag makes gateway one miss the event e1 and returns the lost message.
func (r *rig) lag(err error) sent {
	r.t.Helper()
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"a-1"}})
	r.emit("a-1", "e1")
	batches := r.take(protocol.TypeBatch)
	r.settle(batches[1], nil)
	r.settle(batches[0], err)
	return r.only(protocol.TypeLost)
}

func TestALossIsInTheQueueBeforeTheAck(t *testing.T) {
	for name, err := range map[string]error{
		"refused":    amqpbus.ErrRefused,
		"unroutable": amqpbus.ErrUnroutable,
		"wrapped":    errors.Join(errors.New("publish"), amqpbus.ErrRefused),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			lost := r.lag(err)
			r.ackedThrough(r.tag - 1)
			l := read[protocol.Lost](t, lost)
			if l.Worker != me || l.Epoch != r.reign().Epoch || l.Gateway != one {
				t.Fatalf("lost says %+v", l)
			}
			if lost.Exchange != amqpbus.InterestExchange(1) || lost.Key != "0" || !lost.Mandatory || lost.ID == "" {
				t.Fatalf("lost goes to %q with key %q and id %q", lost.Exchange, lost.Key, lost.ID)
			}
			r.settle(lost, nil)
			r.ackedThrough(r.tag)
			if s := r.core.Stats(); s.Lagging != 1 || s.Lagged != 1 {
				t.Fatalf("stats %+v, want one gateway lagging", s)
			}
		})
	}
}

func TestAConfirmThatDoesNotComeIsALoss(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.emit("a-1", "e1")
	late := r.only(protocol.TypeBatch)
	r.pass(9900 * time.Millisecond)
	r.none(protocol.TypeLost)
	r.pass(100 * time.Millisecond)
	lost := r.only(protocol.TypeLost)
	r.settle(late, nil) // it is too late: the gateway was given up
	r.ackedThrough(r.tag - 1)
	r.settle(lost, nil)
	r.ackedThrough(r.tag)
}

func TestALaggingGatewayIsSentNothingButProbes(t *testing.T) {
	r := newRig(t)
	r.settle(r.lag(amqpbus.ErrRefused), nil)
	last := r.emit("a-1", "e2")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, two, 2, "e2")
	r.none(protocol.TypeLost) // the one in the queue covers it
	r.core.Settled(0, nil)
	r.pass(300 * time.Millisecond)
	probe := r.only(protocol.TypePulse)
	if p := read[protocol.Pulse](t, probe); probe.Key != string(one) || p.Direct != 2 {
		t.Fatalf("the probe to %q says %+v; want number 2, which the gateway never gets", probe.Key, p)
	}
	r.settle(probe, amqpbus.ErrRefused)
	r.emit("a-1", "e3")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, two, 3, "e3")
	r.pass(300 * time.Millisecond)
	probe = r.only(protocol.TypePulse)
	r.settle(probe, nil)
	if s := r.core.Stats(); s.Lagging != 0 || s.Lagged != 1 {
		t.Fatalf("stats %+v, want no gateway lagging", s)
	}
	r.emit("a-1", "e4")
	batches := r.take(protocol.TypeBatch)
	r.batch(batches[0], protocol.ModeDirect, one, read[protocol.Pulse](t, probe).Direct+1, "e4")
	if r.acked >= last {
		t.Fatalf("acked through %d though the batches to the other gateway are in the air", r.acked)
	}
}

// Once a probe is on its way the gateway's queue may take batches again; they
// follow the probe, which shows the hole.
func TestBatchesFollowTheProbe(t *testing.T) {
	r := newRig(t)
	r.settle(r.lag(amqpbus.ErrRefused), nil)
	r.pass(300 * time.Millisecond)
	probe := r.only(protocol.TypePulse)
	r.emit("a-1", "e2")
	batches := r.take(protocol.TypeBatch)
	r.batch(batches[0], protocol.ModeDirect, one, 2, "e2")
	r.settle(probe, amqpbus.ErrRefused)
	r.settle(batches[1], nil)
	r.settle(batches[0], amqpbus.ErrRefused)
	r.none(protocol.TypeLost) // still covered
	r.ackedThrough(r.tag)
	if s := r.core.Stats(); s.Lagged != 1 {
		t.Fatalf("lagged %d times, want once", s.Lagged)
	}
}

func TestAnOwnLostMessageIsHeldWhileItsGatewayLags(t *testing.T) {
	t.Run("until a probe is confirmed", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		r.settle(lost, nil)
		tag := r.comes(lost)
		r.ackedThrough(tag - 1)
		r.settleProbe(nil)
		r.ackedThrough(tag)
	})
	t.Run("until another one is behind it", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		r.settle(lost, nil)
		tag := r.comes(lost)
		r.pass(300 * time.Millisecond)
		r.take(protocol.TypePulse)
		again := r.only(protocol.TypeLost)
		if again.ID == lost.ID {
			t.Fatal("the lost message that follows has the same id")
		}
		r.ackedThrough(tag - 1)
		r.settle(again, nil)
		r.ackedThrough(tag)
		r.ackedThrough(r.comes(again) - 1)
	})
	t.Run("at once while draining", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		r.settle(lost, nil)
		tag := r.comes(lost)
		r.core.Drain()
		r.collect()
		r.settle(r.only(protocol.TypeLost), nil)
		r.ackedThrough(tag)
		if !r.core.Idle() {
			t.Fatal("not idle")
		}
	})
	t.Run("not when the gateway knows", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		r.settle(lost, nil)
		r.settleProbe(nil)
		r.ackedThrough(r.comes(lost))
	})
	t.Run("also when it overtakes its confirm", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		tag := r.comes(lost)
		r.ackedThrough(tag - 1)
		r.settle(lost, nil)
		r.settleProbe(nil)
		r.ackedThrough(tag)
	})
}

// settleProbe lets time go by until the first gateway is probed, and settles that.
func (r *rig) settleProbe(err error) {
	r.t.Helper()
	for range 100 {
		for _, pulse := range r.take(protocol.TypePulse) {
			if pulse.Key == string(one) {
				r.settle(pulse, err)
				return
			}
		}
		r.pass(100 * time.Millisecond)
	}
	r.t.Fatal("the gateway is not probed")
}

func TestARefusedLostMessageIsPublishedAgain(t *testing.T) {
	r := newRig(t)
	lost := r.lag(amqpbus.ErrRefused)
	r.settle(lost, amqpbus.ErrRefused) // the shard's queue is full
	r.ackedThrough(r.tag - 1)
	r.pass(100 * time.Millisecond)
	r.settle(r.only(protocol.TypeLost), nil)
	r.ackedThrough(r.tag)
	// The refused one did arrive after all: it is given up.
	r.ackedThrough(r.comes(lost))
}

// A full shard's queue cannot take the lost message while nothing is acked: it
// must not hold up the acks once the gateway knows, or is gone.
func TestAFullShardsQueueDoesNotHoldUpALossThatIsKnown(t *testing.T) {
	t.Run("the probe arrived", func(t *testing.T) {
		r := newRig(t)
		r.settle(r.lag(amqpbus.ErrRefused), amqpbus.ErrRefused)
		r.ackedThrough(r.tag - 1)
		r.pass(100 * time.Millisecond)
		again := r.only(protocol.TypeLost)
		r.settleProbe(nil)
		r.settle(again, amqpbus.ErrRefused)
		r.ackedThrough(r.tag)
	})
	t.Run("the probe arrived first", func(t *testing.T) {
		r := newRig(t)
		lost := r.lag(amqpbus.ErrRefused)
		r.settleProbe(nil)
		r.ackedThrough(r.tag - 1)
		r.settle(lost, amqpbus.ErrRefused)
		r.ackedThrough(r.tag)
	})
	t.Run("there is no queue", func(t *testing.T) {
		r := newRig(t)
		r.settle(r.lag(amqpbus.ErrUnroutable), amqpbus.ErrRefused)
		r.ackedThrough(r.tag)
		r.pass(100 * time.Millisecond)
		r.only(protocol.TypeLost) // it is tried again all the same
	})
}

func TestLossesWhileALostMessageIsInTheAir(t *testing.T) {
	r := newRig(t)
	lost := r.lag(amqpbus.ErrRefused)
	r.emit("a-1", "e2")
	r.settle(r.only(protocol.TypeBatch), nil)
	r.none(protocol.TypeLost)
	r.ackedThrough(r.tag - 2)
	r.settle(lost, nil)
	r.ackedThrough(r.tag)
}

func TestAPileIsPartOfTheLoss(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	for _, id := range ids(1, maxFlying+3) {
		r.emit("a-1", id)
	}
	air := r.take(protocol.TypeBatch)
	r.settle(air[0], amqpbus.ErrRefused)
	lost := r.only(protocol.TypeLost)
	r.settle(lost, nil)
	for _, s := range air[1:] {
		r.settle(s, nil)
	}
	r.none(protocol.TypeBatch)
	r.ackedThrough(r.tag)
	r.pass(300 * time.Millisecond)
	if p := read[protocol.Pulse](t, r.only(protocol.TypePulse)); p.Direct != maxFlying+1 {
		t.Fatalf("the probe says %d, want a number that no batch has", p.Direct)
	}
}

func TestALostMessageOfAnotherReignIsPassedOnAsAGap(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	tag := r.deliver(r.lost(other, 5, one))
	gap := r.only(protocol.TypeGap)
	if g := read[protocol.Gap](t, gap); gap.Exchange != amqpbus.ExchangeReply || gap.Key != string(one) || len(g.Groups) != 0 {
		t.Fatalf("gap %+v to %q %q", g, gap.Exchange, gap.Key)
	}
	r.ackedThrough(tag - 1)
	r.settle(gap, nil)
	r.ackedThrough(tag)

	tag = r.deliver(r.lost(me, 5, "")) // of everybody, in an earlier reign of ours
	gap = r.only(protocol.TypeGap)
	if gap.Exchange != amqpbus.ExchangeReplyAll {
		t.Fatalf("the gap of all goes to %q", gap.Exchange)
	}
	r.settle(gap, nil)
	r.ackedThrough(tag)
}

func TestAGapThatIsRefusedIsALossAgain(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	tag := r.deliver(r.lost(other, 5, one))
	r.settle(r.only(protocol.TypeGap), amqpbus.ErrRefused)
	r.ackedThrough(tag - 1)
	r.settle(r.only(protocol.TypeLost), nil)
	r.ackedThrough(tag)
	r.pass(300 * time.Millisecond)
	if p := read[protocol.Pulse](t, r.only(protocol.TypePulse)); p.Direct != 1 {
		t.Fatalf("the probe says %d, want the number that never arrives", p.Direct)
	}
}

func TestAGapForAGatewayThatIsGoneNeedsNothing(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	tag := r.deliver(r.lost(other, 5, "gw-dead.x"))
	r.settle(r.only(protocol.TypeGap), amqpbus.ErrUnroutable)
	r.none(protocol.TypeLost)
	r.ackedThrough(tag)
}

func TestARefusedFloodIsALossOfEveryGateway(t *testing.T) {
	r := newRig(t)
	r.joins(one, 1, "a-1")
	r.answers(one, 1, "a-1")
	r.confirm()
	r.emit("a-1", "e1")
	r.settle(r.only(protocol.TypeBatch), amqpbus.ErrRefused)
	lost := r.only(protocol.TypeLost)
	if l := read[protocol.Lost](t, lost); l.Gateway != "" {
		t.Fatalf("lost says %+v, want every gateway", l)
	}
	r.settle(lost, nil)
	r.ackedThrough(r.tag)
	// The flood is never skipped: others may get it.
	r.emit("a-1", "e2")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeFlood, "", 2, "e2")
	r.pass(300 * time.Millisecond)
	probe := r.only(protocol.TypePulse)
	if p := read[protocol.Pulse](t, probe); probe.Exchange != amqpbus.ExchangeReplyAll || !p.All || p.Flood != 2 {
		t.Fatalf("the probe to %q says %+v", probe.Exchange, p)
	}
	r.settle(probe, nil)
	if r.core.Stats().Lagging != 0 {
		t.Fatal("the confirmed probe did not end the lag")
	}
}
