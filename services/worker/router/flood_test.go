package router

import (
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func (r *rig) mark(worker protocol.WorkerID, epoch uint64) uint64 {
	r.t.Helper()
	return r.deliver(r.control(workerUser, protocol.TypeMark, protocol.Encode(protocol.Mark{Worker: worker, Epoch: epoch})))
}

func TestFloodUntilTheOwnMark(t *testing.T) {
	r := newRig(t)
	r.joins(one, 1, "a-1")
	r.answers(one, 1, "a-1")
	r.confirm()
	r.emit("a-1", "e1")
	first := r.only(protocol.TypeBatch)
	r.batch(first, protocol.ModeFlood, "", 1, "e1")
	r.settle(first, nil)
	r.emit("nobody-1", "e2")
	second := r.only(protocol.TypeBatch)
	r.batch(second, protocol.ModeFlood, "", 2, "e2")
	r.settle(second, nil)

	epoch := r.reign().Epoch
	r.mark(other, epoch)
	r.mark(me, epoch-1)
	if !r.core.Flooding() {
		t.Fatal("a mark that is not this reign's ended the flood")
	}
	r.mark(me, epoch)
	if r.core.Flooding() {
		t.Fatal("the own mark did not end the flood")
	}
	pulse := r.only(protocol.TypePulse)
	p := read[protocol.Pulse](t, pulse)
	if pulse.Exchange != amqpbus.ExchangeReplyAll || !p.All || p.Flooding || p.Flood != 2 || p.Reign != r.reign() {
		t.Fatalf("the flood's end is told to %q as %+v", pulse.Exchange, p)
	}
	r.emit("a-1", "e3")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, one, 1, "e3")
	r.emit("nobody-1", "e4")
	r.none(protocol.TypeBatch)
}

func TestTheMarkComesAfterTwoHeartbeats(t *testing.T) {
	r := newRig(t)
	r.emit("a-1", "e1")
	r.answers(one, 0)
	r.confirm()
	r.pass(9900 * time.Millisecond)
	r.none(protocol.TypeMark)
	r.pass(100 * time.Millisecond)
	mark := r.only(protocol.TypeMark)
	if mark.Exchange != amqpbus.InterestExchange(1) || mark.Key != "0" || !mark.Mandatory {
		t.Fatalf("the mark goes to %q with key %q", mark.Exchange, mark.Key)
	}
	if m := read[protocol.Mark](t, mark); m.Worker != me || m.Epoch != r.reign().Epoch {
		t.Fatalf("the mark says %+v", m)
	}
	r.settle(mark, nil)
	r.pass(5 * time.Second)
	r.none(protocol.TypeMark)
	r.pass(20 * time.Second) // the queue may have been purged
	r.only(protocol.TypeMark)
}

func TestARefusedMarkIsPublishedAgain(t *testing.T) {
	r := newRig(t)
	r.emit("a-1", "e1")
	r.confirm()
	r.pass(10 * time.Second)
	r.settle(r.only(protocol.TypeMark), amqpbus.ErrRefused)
	r.pass(100 * time.Millisecond)
	r.settle(r.only(protocol.TypeMark), nil)
	r.pass(time.Second)
	r.none(protocol.TypeMark)
}

// atTheFloodsEnd has flood batches in the air, one in the pile, and an emit
// that is for gateway one alone.
func atTheFloodsEnd(t *testing.T) (r *rig, flood []sent) {
	t.Helper()
	r = newRig(t)
	r.joins(one, 1, "a-1")
	r.answers(one, 1, "a-1")
	r.confirm()
	for _, id := range ids(1, maxFlying+2) {
		r.emit("a-1", id)
	}
	if flood = r.take(protocol.TypeBatch); len(flood) != maxFlying {
		t.Fatalf("%d batches in the air, want %d", len(flood), maxFlying)
	}
	r.deliver(
		r.control(workerUser, protocol.TypeMark, protocol.Encode(protocol.Mark{Worker: me, Epoch: r.reign().Epoch})),
		emitOf("a-1", "direct", `1`),
	)
	flood = append(flood, r.only(protocol.TypeBatch))
	r.batch(flood[maxFlying], protocol.ModeFlood, "", maxFlying+1, "e5", "e6")
	if p := read[protocol.Pulse](t, r.only(protocol.TypePulse)); p.Flood != maxFlying+1 {
		t.Fatalf("the flood's end is told with number %d, want %d", p.Flood, maxFlying+1)
	}
	return r, flood
}

// A flood batch that a gateway's queue refused is sent again by a successor,
// should this worker end now: what follows it must not be there already.
func TestDirectBatchesWaitForTheFloodsConfirms(t *testing.T) {
	r, flood := atTheFloodsEnd(t)
	for _, s := range flood {
		r.none(protocol.TypeBatch)
		r.settle(s, nil)
	}
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, one, 1, "direct")
}

func TestDirectBatchesWaitUntilTheFloodsLossIsRecorded(t *testing.T) {
	r, flood := atTheFloodsEnd(t)
	for _, s := range flood[1:] {
		r.settle(s, nil)
	}
	r.settle(flood[0], amqpbus.ErrRefused)
	lost := r.only(protocol.TypeLost)
	r.none(protocol.TypeBatch)
	r.settle(lost, amqpbus.ErrRefused)
	r.none(protocol.TypeBatch)
	r.pass(100 * time.Millisecond)
	r.settle(r.only(protocol.TypeLost), nil)
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, one, 1, "direct")
}

func TestAGatewayNotInSyncIsFloodedAlone(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"b-1"}})
	r.beats(two, 2, "b-1", "b-2") // a revision that the queue has not brought
	r.emit("a-1", "e1")
	batches := r.take(protocol.TypeBatch)
	if len(batches) != 2 {
		t.Fatalf("%d batches, want one for each gateway", len(batches))
	}
	r.batch(batches[0], protocol.ModeDirect, one, 1, "e1")
	r.batch(batches[1], protocol.ModeDirect, two, 1, "e1")
	// The interested gateway that is not in sync gets its own but once.
	r.emit("b-1", "e2")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, two, 2, "e2")
	r.answers(two, 2, "b-1", "b-2")
	r.emit("a-1", "e3")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, one, 2, "e3")
}

func TestAGatewayThatDoesNotMatchIsAskedAgain(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.pass(5 * time.Second)
	r.confirm()
	r.beats(one, 1, "a-1", "a-2")
	ask := r.only(protocol.TypeAsk)
	if ask.Exchange != amqpbus.ExchangeReply || ask.Key != string(one) {
		t.Fatalf("the question goes to %q with key %q, want the gateway alone", ask.Exchange, ask.Key)
	}
	r.pass(1900 * time.Millisecond)
	r.none(protocol.TypeAsk)
	r.pass(200 * time.Millisecond)
	r.only(protocol.TypeAsk)
	r.answers(one, 1, "a-1", "a-2")
	r.pass(5 * time.Second)
	r.none(protocol.TypeAsk)
}

// A gateway that was silent past the mark, or was buried, had members that
// nobody routed to.
func TestAGatewayMetAfterTheFloodIsTold(t *testing.T) {
	for name, meet := range map[string]func(r *rig){
		"interest":  func(r *rig) { r.joins(two, 4, "b-1") },
		"heartbeat": func(r *rig) { r.beats(two, 4, "b-1") },
		"snapshot":  func(r *rig) { r.answers(two, 4, "b-1") },
	} {
		r := newRig(t)
		r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
		meet(r)
		gap := r.only(protocol.TypeGap)
		if g := read[protocol.Gap](t, gap); gap.Key != string(two) || g.Shard != 0 || len(g.Groups) != 0 {
			t.Errorf("%s: gap %+v to %q", name, g, gap.Key)
		}
	}
	for name, meet := range map[string]func(r *rig){
		"first interest":  func(r *rig) { r.joins(two, 1, "b-1") },
		"first heartbeat": func(r *rig) { r.beats(two, 0) },
	} {
		r := newRig(t)
		r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
		meet(r)
		if gaps := r.take(protocol.TypeGap); len(gaps) != 0 {
			t.Errorf("%s: a gateway that has just begun is told of a gap", name)
		}
	}
}

func TestPulses(t *testing.T) {
	r := newRig(t)
	r.joins(one, 1, "a-1")
	r.answers(one, 1, "a-1")
	r.emit("a-1", "e1")
	r.confirm()
	r.pass(2 * time.Second)
	pulses := r.take(protocol.TypePulse)
	if len(pulses) != 2 {
		t.Fatalf("%d pulses while flooding, want one to all and one to the gateway", len(pulses))
	}
	all, direct := read[protocol.Pulse](t, pulses[0]), read[protocol.Pulse](t, pulses[1])
	if pulses[0].Exchange != amqpbus.ExchangeReplyAll || !all.All || !all.Flooding || all.Flood != 1 || all.Direct != 0 {
		t.Errorf("to all: %+v", all)
	}
	if pulses[1].Key != string(one) || !pulses[1].Mandatory || direct.All || !direct.Flooding || direct.Flood != 1 || direct.Direct != 0 {
		t.Errorf("to the gateway: %+v", direct)
	}
	r.mark(me, r.reign().Epoch)
	r.emit("a-1", "e2")
	r.confirm()
	r.pass(2 * time.Second)
	last := read[protocol.Pulse](t, r.only(protocol.TypePulse))
	if last.All || last.Flooding || last.Direct != 1 || last.Flood != 1 || last.Reign != r.reign() {
		t.Fatalf("after the flood: %+v", last)
	}
}
