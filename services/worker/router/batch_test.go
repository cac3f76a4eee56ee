package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func TestOneBatchForEachGateway(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1", "c-1"}, two: {"b-1", "c-1"}})
	last := r.deliver(
		emitOf("a-1", "e1", `1`), emitOf("b-1", "e2", `2`), emitOf("c-1", "e3", `3`), emitOf("nobody-1", "e4", `4`),
	)
	batches := r.take(protocol.TypeBatch)
	if len(batches) != 2 {
		t.Fatalf("%d batches for one pack, want one for each gateway", len(batches))
	}
	r.batch(batches[0], protocol.ModeDirect, one, 1, "e1", "e3")
	r.batch(batches[1], protocol.ModeDirect, two, 1, "e2", "e3")
	r.settle(batches[0], nil)
	r.ackedThrough(last - 3) // e1 alone: e2 waits, and acks are contiguous
	r.settle(batches[1], nil)
	r.ackedThrough(last)
}

func TestAnEmitThatNobodyWantsIsAckedAtOnce(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.ackedThrough(r.emit("nobody-1", "e1"))
	first := r.emit("a-1", "e2")
	r.emit("nobody-1", "e3")
	r.ackedThrough(first - 1)
	r.confirm()
	r.ackedThrough(first + 1)
}

func TestAcksAreContiguousWhateverTheOrderOfConfirms(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"b-1"}})
	first := r.emit("a-1", "e1")
	r.emit("b-1", "e2")
	r.emit("a-1", "e3")
	batches := r.take(protocol.TypeBatch)
	acks := r.acks
	r.settle(batches[2], nil)
	r.settle(batches[1], nil)
	r.ackedThrough(first - 1)
	r.settle(batches[0], nil)
	r.ackedThrough(first + 2)
	if r.acks != acks+1 {
		t.Fatalf("%d acks, want one through everything", r.acks-acks)
	}
	r.settle(batches[0], nil) // told twice: no harm
	r.ackedThrough(first + 2)
}

func TestABatchHasAtMost128Events(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	var pack []amqpbus.Delivery
	for _, id := range ids(1, 300) {
		pack = append(pack, emitOf("a-1", id, `{}`))
	}
	last := r.deliver(pack...)
	batches := r.take(protocol.TypeBatch)
	if len(batches) != 3 {
		t.Fatalf("%d batches, want 3", len(batches))
	}
	r.batch(batches[0], protocol.ModeDirect, one, 1, ids(1, 128)...)
	r.batch(batches[1], protocol.ModeDirect, one, 2, ids(129, 256)...)
	r.batch(batches[2], protocol.ModeDirect, one, 3, ids(257, 300)...)
	r.settle(batches[0], nil)
	r.ackedThrough(last - 300 + 128)
	r.settle(batches[1], nil)
	r.settle(batches[2], nil)
	r.ackedThrough(last)
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	body := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	r.deliver(
		emitOf("a-1", "e1", body(200<<10)), emitOf("a-1", "e2", body(200<<10)), emitOf("a-1", "e3", body(200<<10)),
		emitOf("a-1", "e4", body(protocol.MaxPayload)), emitOf("a-1", "e5", `1`),
	)
	batches := r.take(protocol.TypeBatch)
	if len(batches) != 4 {
		t.Fatalf("%d batches, want 4", len(batches))
	}
	r.batch(batches[0], protocol.ModeDirect, one, 1, "e1", "e2")
	r.batch(batches[1], protocol.ModeDirect, one, 2, "e3")
	r.batch(batches[2], protocol.ModeDirect, one, 3, "e4")
	r.batch(batches[3], protocol.ModeDirect, one, 4, "e5")
}

func TestFourBatchesInTheAirThenTheRestPilesUp(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"b-1"}})
	for _, id := range ids(1, 10) {
		r.emit("a-1", id)
	}
	air := r.take(protocol.TypeBatch)
	if len(air) != maxFlying {
		t.Fatalf("%d batches in the air, want %d", len(air), maxFlying)
	}
	r.emit("b-1", "other")
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, two, 1, "other") // another gateway does not wait
	r.settle(air[0], nil)
	r.batch(r.only(protocol.TypeBatch), protocol.ModeDirect, one, 5, ids(5, 10)...)
}

func TestAnEventTravelsAsItCame(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	body := " {\"a\" : \"\u00e9\\u0000\" }\n"
	d := emitOf("a-1", "", body)
	d.Headers = map[string]string{amqpbus.HeaderTrace: "00-trace", "foreign": "x"}
	r.deliver(d)
	batch, err := protocol.DecodeBatch(r.only(protocol.TypeBatch).Body)
	if err != nil {
		t.Fatal(err)
	}
	e := batch.Events[0]
	if e.Group != "a-1" || e.ID != "" || e.Trace != "00-trace" || string(e.Payload) != body {
		t.Fatalf("event %+v %q, want the body byte for byte", e, e.Payload)
	}
}

func TestTheGroupOfAShardsEmitIsInItsHeader(t *testing.T) {
	group := protocol.Group("jobs-1")
	shard := protocol.ShardOf(group, 4)
	r := newRigOf(t, 4, shard)
	d := emitOf(group, "e1", `1`)
	d.Exchange, d.Key = amqpbus.EmitShards(4), amqpbus.ShardKey(shard)
	d.Headers = map[string]string{amqpbus.HeaderGroup: string(group)}
	r.deliver(d)
	batch, err := protocol.DecodeBatch(r.only(protocol.TypeBatch).Body)
	if err != nil || batch.Events[0].Group != group || batch.Shard != shard {
		t.Fatalf("batch %+v, %v", batch, err)
	}
	if mark := r.core.toShard(protocol.TypeMark, nil); mark.Exchange != amqpbus.InterestExchange(4) || mark.Key != amqpbus.ShardKey(shard) {
		t.Fatalf("control messages go to %q with key %q", mark.Exchange, mark.Key)
	}
}

func TestSequencesHaveNoHole(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1", "c-1"}, two: {"c-1"}})
	next := map[protocol.GatewayID]uint64{}
	for i := range 60 {
		group := protocol.Group("a-1")
		if i%3 == 0 {
			group = "c-1"
		}
		r.emit(group, fmt.Sprintf("e%d", i))
		for _, s := range r.take(protocol.TypeBatch) {
			to := protocol.GatewayID(s.Key)
			next[to]++
			b, _ := protocol.DecodeBatch(s.Body)
			if b.Sequence != next[to] {
				t.Fatalf("batch %d for %s, want %d", b.Sequence, to, next[to])
			}
			r.settle(s, nil)
		}
	}
	if next[one] != 60 || next[two] != 20 {
		t.Fatalf("batches: %v", next)
	}
	r.ackedThrough(r.tag)
}

// A publishing link that is blocked is not a gateway that is dead, and a
// process that was frozen has heard nobody.
func TestClocksStandStill(t *testing.T) {
	t.Run("while the broker blocks", func(t *testing.T) {
		r := newRig(t)
		r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
		r.emit("a-1", "e1")
		batch := r.only(protocol.TypeBatch)
		r.core.Blocked(true)
		r.pass(time.Minute)
		if len(r.air) != 0 || r.core.Stats().Lagged != 0 {
			t.Fatal("something happened while the broker blocked")
		}
		r.core.Blocked(false)
		r.pass(9 * time.Second)
		if r.core.Stats().Lagged != 0 {
			t.Fatal("the blocked time counted for the confirm")
		}
		r.settle(batch, nil)
		r.ackedThrough(r.tag)
	})
	t.Run("while the process is frozen", func(t *testing.T) {
		r := newRig(t)
		r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
		r.emit("a-1", "e1")
		r.now = r.now.Add(time.Hour)
		r.core.Tick(r.now)
		r.collect()
		if r.core.Stats().Lagged != 0 {
			t.Fatal("one tick after an hour gave up a publish")
		}
	})
	t.Run("while the clock goes back", func(t *testing.T) {
		r := newRig(t)
		r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
		r.now = r.now.Add(-time.Hour)
		r.core.Tick(r.now)
		r.pass(2 * time.Second)
		r.only(protocol.TypePulse)
	})
}
