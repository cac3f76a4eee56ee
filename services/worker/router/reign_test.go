package router

import (
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func TestTheFirstDeliveryBeginsAReign(t *testing.T) {
	r := newRig(t)
	r.pass(30 * time.Second)
	if _, there := r.core.Reign(); there || len(r.air) != 0 {
		t.Fatal("a consumer without a delivery may be one that waits: it must not reign")
	}
	r.emit("a-1", "e1")
	reign := r.reign()
	if reign.Worker != me || reign.Shard != 0 || reign.Epoch != uint64(r.now.UnixMilli()) {
		t.Fatalf("reign %+v, want epoch %d", reign, r.now.UnixMilli())
	}
	ask := r.only(protocol.TypeAsk)
	if ask.Exchange != amqpbus.ExchangeReplyAll || ask.ReplyTo != string(me) || read[protocol.Ask](t, ask).Reign != reign {
		t.Fatalf("the question goes to %q: %s", ask.Exchange, ask.Body)
	}
	if !r.core.Flooding() || r.core.Stats().Epochs != 1 {
		t.Fatal("a reign begins with a flood")
	}
}

func TestAnEpochIsHigherThanAnySeen(t *testing.T) {
	r := newRig(t)
	ahead := uint64(r.now.UnixMilli()) + 5000
	r.core.Seen(ahead)
	r.core.Seen(ahead - 100)
	r.emit("a-1", "e1")
	if got := r.reign().Epoch; got != ahead+1 {
		t.Fatalf("epoch %d, want %d", got, ahead+1)
	}
	r.core.LinkLost()
	r.tag, r.acked = 0, 0
	r.now = r.now.Add(-time.Hour) // the clock was set back
	r.core.Tick(r.now)
	r.emit("a-1", "e1")
	if got := r.reign().Epoch; got != ahead+2 {
		t.Fatalf("epoch %d after a new link, want %d", got, ahead+2)
	}
}

func TestControlMessagesTellEpochs(t *testing.T) {
	for name, message := range map[string]func(r *rig) amqpbus.Delivery{
		"mark": func(r *rig) amqpbus.Delivery {
			return r.control(workerUser, protocol.TypeMark, protocol.Encode(protocol.Mark{Worker: other, Epoch: 1 << 50}))
		},
		"lost": func(r *rig) amqpbus.Delivery { return r.lost(other, 1<<50, one) },
	} {
		r := newRig(t)
		r.deliver(message(r))
		r.core.LinkLost()
		r.tag, r.acked = 0, 0
		r.emit("a-1", "e1")
		if got := r.reign().Epoch; got != 1<<50+1 {
			t.Errorf("%s: epoch %d, want %d", name, got, uint64(1<<50+1))
		}
	}
}

func TestNothingIsAckedBeforeTheFenceOpens(t *testing.T) {
	t.Run("a gateway accepts", func(t *testing.T) {
		r := newRig(t)
		r.emit("a-1", "e1")
		r.confirm()
		r.ackedThrough(0)
		r.answers(one, 0)
		r.ackedThrough(1)
	})
	t.Run("nobody answers for a second", func(t *testing.T) {
		r := newRig(t)
		r.emit("a-1", "e1")
		r.confirm()
		r.pass(900 * time.Millisecond)
		r.ackedThrough(0)
		r.pass(100 * time.Millisecond)
		r.ackedThrough(1)
	})
	t.Run("an answer to another reign", func(t *testing.T) {
		r := newRig(t)
		r.emit("a-1", "e1")
		r.confirm()
		past := r.reign()
		past.Epoch--
		r.core.Snapshot(protocol.Snapshot{Stamp: protocol.Stamp{Gateway: one, Link: 1}, Reign: past, Parts: 1})
		r.core.Snapshot(protocol.Snapshot{Stamp: protocol.Stamp{Gateway: one}, Reign: r.reign(), Parts: 1})
		r.collect()
		r.ackedThrough(0)
		if s := r.core.Stats(); s.Ignored != 2 || s.Gateways != 0 {
			t.Fatalf("stats %+v, want two messages ignored and no gateway", s)
		}
	})
}

func TestStaleRaisesAReignThatNobodyAccepted(t *testing.T) {
	r := newRig(t)
	r.deliver(emitOf("a-1", "e1", `1`), emitOf("a-2", "e2", `2`))
	refused := r.reign()
	r.confirm() // of the refused reign: it must not count
	highest := protocol.Reign{Epoch: refused.Epoch + 700, Worker: other}
	r.core.Stale(protocol.Stale{Gateway: one, Refused: refused, Highest: highest})
	r.collect()
	if r.reopened {
		t.Fatal("the reign was given up, though nobody had accepted it")
	}
	if got := r.reign().Epoch; got != highest.Epoch+1 {
		t.Fatalf("epoch %d, want %d", got, highest.Epoch+1)
	}
	if ask := read[protocol.Ask](t, r.only(protocol.TypeAsk)); ask.Reign != r.reign() {
		t.Fatalf("asked for %+v, want the raised reign", ask)
	}
	r.batch(r.only(protocol.TypeBatch), protocol.ModeFlood, "", 1, "e1", "e2")
	r.answers(one, 0)
	r.ackedThrough(0)
	if s := r.core.Stats(); s.Epochs != 2 || s.Stale != 1 {
		t.Fatalf("stats %+v, want two epochs and one stale", s)
	}
}

func TestConfirmsOfARefusedReignDoNotCount(t *testing.T) {
	r := newRig(t)
	r.emit("a-1", "e1")
	before := r.take(protocol.TypeBatch)
	r.core.Stale(protocol.Stale{Gateway: one, Refused: r.reign(), Highest: protocol.Reign{Epoch: 1 << 50, Worker: other}})
	r.collect()
	again := r.only(protocol.TypeBatch)
	r.answers(one, 0)
	r.settle(before[0], nil)
	r.ackedThrough(0)
	r.settle(again, nil)
	r.ackedThrough(1)
}

func TestARaisedReignAppliesControlMessagesAgain(t *testing.T) {
	r := newRig(t)
	r.joins(one, 1, "a-1")
	r.confirm()
	r.core.Stale(protocol.Stale{Gateway: two, Refused: r.reign(), Highest: protocol.Reign{Epoch: 1 << 50, Worker: other}})
	r.collect()
	if s := r.core.Stats(); s.Gateways != 1 || s.Groups != 1 {
		t.Fatalf("stats %+v, want the interest that is not acked in the table", s)
	}
}

// A frozen worker must not fence its successor: the gateway had accepted this
// reign, so the higher one came after it.
func TestStaleOfAGatewayThatHadAcceptedGivesTheShardBack(t *testing.T) {
	r := newRig(t)
	r.emit("a-1", "e1")
	r.answers(one, 0)
	mine := r.reign()
	r.core.Stale(protocol.Stale{Gateway: one, Refused: mine, Highest: protocol.Reign{Epoch: mine.Epoch + 1, Worker: other}})
	r.collect()
	if !r.reopened || r.reign() != mine {
		t.Fatal("the shard was not given back")
	}
	r.core.LinkLost()
	if _, there := r.core.Reign(); there {
		t.Fatal("there is a reign without a link")
	}
	r.tag, r.acked = 0, 0
	r.emit("a-1", "e1")
	if got := r.reign().Epoch; got != mine.Epoch+2 {
		t.Fatalf("epoch %d, want %d", got, mine.Epoch+2)
	}
}

func TestStaleThatMeansNothing(t *testing.T) {
	for name, change := range map[string]func(m *protocol.Stale){
		"another shard":        func(m *protocol.Stale) { m.Highest.Shard = 3 },
		"a reign of the past":  func(m *protocol.Stale) { m.Refused.Epoch-- },
		"another worker":       func(m *protocol.Stale) { m.Refused.Worker = other },
		"highest is not above": func(m *protocol.Stale) { m.Highest = m.Refused },
	} {
		r := newRig(t)
		r.emit("a-1", "e1")
		mine := r.reign()
		m := protocol.Stale{Gateway: one, Refused: mine, Highest: protocol.Reign{Epoch: mine.Epoch + 9, Worker: other}}
		change(&m)
		r.core.Stale(m)
		r.collect()
		if r.reopened || r.reign() != mine || r.core.Stats().Stale != 0 {
			t.Errorf("%s: reign %+v, reopened %t", name, r.reign(), r.reopened)
		}
	}
	idle := newRig(t)
	idle.core.Stale(protocol.Stale{Gateway: one, Highest: protocol.Reign{Epoch: 1 << 50, Worker: other}})
	idle.emit("a-1", "e1")
	if got := idle.reign().Epoch; got != 1<<50+1 {
		t.Fatalf("epoch %d: a stale answer before the reign was not noted", got)
	}
}

func TestLinkLostForgetsWhatWasInTheAir(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.emit("a-1", "e1")
	batch := r.only(protocol.TypeBatch)
	r.settle(batch, amqpbus.ErrLinkLost)
	if r.core.Stats().Lagged != 0 {
		t.Fatal("a lost link is no verdict on a gateway")
	}
	r.core.LinkLost()
	if !r.core.Idle() || r.core.Stats().Gateways != 0 {
		t.Fatal("the ledger or the table outlived the link")
	}
	r.tag, r.acked = 0, 0
	r.emit("a-1", "e1")
	r.settle(batch, nil)
	r.answers(one, 1, "a-1")
	r.ackedThrough(0)
	r.confirm()
	r.ackedThrough(1)
}

func TestDrainThenIdle(t *testing.T) {
	r := newRig(t)
	if !r.core.Idle() {
		t.Fatal("a core that had nothing is not idle")
	}
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	last := r.emit("a-1", "e1")
	r.core.Drain()
	r.collect()
	if r.core.Idle() {
		t.Fatal("idle with a batch in the air")
	}
	r.confirm()
	r.ackedThrough(last)
	if !r.core.Idle() {
		t.Fatal("not idle with everything acked")
	}
}

func TestDrainBeforeTheFenceOpens(t *testing.T) {
	r := newRig(t)
	r.emit("a-1", "e1")
	r.core.Drain()
	r.confirm()
	if r.core.Idle() {
		t.Fatal("idle though nothing may be acked yet")
	}
	r.pass(time.Second)
	r.ackedThrough(1)
}
