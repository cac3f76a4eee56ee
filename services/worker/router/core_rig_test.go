package router

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
)

const (
	me    = protocol.WorkerID("worker-1.aaaa")
	other = protocol.WorkerID("worker-2.bbbb")
	one   = protocol.GatewayID("gw-1.aaaa")
	two   = protocol.GatewayID("gw-2.bbbb")

	gatewayUser = "gateways"
	workerUser  = "workers"
)

// rig drives a Core: it feeds deliveries with consecutive tags, collects the
// effects, and lets the test say what became of each publish.
type rig struct {
	t      *testing.T
	core   *Core
	shards int
	shard  int
	now    time.Time

	tag      uint64 // of the last delivery
	acked    uint64
	acks     int
	reopened bool
	air      []sent // published, not settled
}

// sent is a publish that the core wants done.
type sent struct {
	id uint64
	amqpbus.Message
	reason Reason
}

func newRig(t *testing.T) *rig { return newRigOf(t, 1, 0) }

func newRigOf(t *testing.T, shards, shard int) *rig {
	r := &rig{t: t, shards: shards, shard: shard, now: time.UnixMilli(1_000_000)}
	r.core = NewCore(CoreOptions{
		Worker: me, Shards: shards, Shard: shard,
		Users: Users{Gateways: trust.New("BELFRY_GATEWAY_USERS", []string{gatewayUser}, nil), Workers: trust.New("BELFRY_WORKER_USERS", []string{workerUser}, nil)},
	})
	r.core.Tick(r.now)
	return r
}

// collect does the effects: acks are noted, publishes are in the air.
func (r *rig) collect() {
	r.t.Helper()
	for _, e := range r.core.Effects() {
		switch e.Kind {
		case EffectPublish:
			r.air = append(r.air, sent{e.ID, e.Message, e.Reason})
		case EffectAck:
			if e.Tag <= r.acked || e.Tag > r.tag {
				r.t.Fatalf("ack through %d after %d, the last delivered is %d", e.Tag, r.acked, r.tag)
			}
			r.acked = e.Tag
			r.acks++
		case EffectReopen:
			r.reopened = true
		}
	}
}

// pass lets time go by in ticks of 100 ms.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.now.Add(100 * time.Millisecond)
		r.core.Tick(r.now)
		r.collect()
	}
}

// deliver hands over a pack and returns the last tag.
func (r *rig) deliver(pack ...amqpbus.Delivery) uint64 {
	r.t.Helper()
	for i := range pack {
		r.tag++
		pack[i].Tag = r.tag
	}
	r.core.Deliver(pack)
	r.collect()
	return r.tag
}

func emitOf(group protocol.Group, id, body string) amqpbus.Delivery {
	return amqpbus.Delivery{
		Message: amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: string(group), ID: id, Body: []byte(body)},
		UserID:  "backend",
	}
}

func (r *rig) emit(group protocol.Group, id string) uint64 {
	r.t.Helper()
	return r.deliver(emitOf(group, id, `{"id":"`+id+`"}`))
}

func (r *rig) control(user, kind string, body []byte) amqpbus.Delivery {
	return amqpbus.Delivery{
		Message: amqpbus.Message{
			Exchange: amqpbus.InterestExchange(r.shards), Key: amqpbus.ShardKey(r.shard), Type: kind, Body: body,
		},
		UserID: user,
	}
}

func (r *rig) joins(gateway protocol.GatewayID, revision uint64, groups ...protocol.Group) uint64 {
	r.t.Helper()
	return r.deliver(r.control(gatewayUser, protocol.TypeInterest, protocol.Encode(protocol.Interest{
		Stamp: protocol.Stamp{Gateway: gateway, Link: 1, Revision: revision}, Join: groups,
	})))
}

func (r *rig) beats(gateway protocol.GatewayID, revision uint64, groups ...protocol.Group) uint64 {
	r.t.Helper()
	h := protocol.Heartbeat{Stamp: protocol.Stamp{Gateway: gateway, Link: 1, Revision: revision}, Count: len(groups)}
	for _, g := range groups {
		h.Digest ^= protocol.Digest(g)
	}
	return r.deliver(r.control(gatewayUser, protocol.TypeHeartbeat, protocol.Encode(h)))
}

// answers is a whole snapshot for the reign that rules now.
func (r *rig) answers(gateway protocol.GatewayID, revision uint64, groups ...protocol.Group) {
	r.t.Helper()
	r.core.Snapshot(protocol.Snapshot{
		Stamp: protocol.Stamp{Gateway: gateway, Link: 1, Revision: revision},
		Reign: r.reign(), Parts: 1, Groups: groups,
	})
	r.collect()
}

func (r *rig) reign() protocol.Reign {
	r.t.Helper()
	reign, there := r.core.Reign()
	if !there {
		r.t.Fatal("there is no reign")
	}
	return reign
}

func (r *rig) lost(worker protocol.WorkerID, epoch uint64, gateway protocol.GatewayID) amqpbus.Delivery {
	return r.control(workerUser, protocol.TypeLost, protocol.Encode(protocol.Lost{Worker: worker, Epoch: epoch, Gateway: gateway}))
}

// take removes the publishes of a type from the air.
func (r *rig) take(kind string) []sent {
	var out []sent
	r.air = slices.DeleteFunc(r.air, func(s sent) bool {
		if s.Type == kind {
			out = append(out, s)
		}
		return s.Type == kind
	})
	return out
}

// only is take for exactly one.
func (r *rig) only(kind string) sent {
	r.t.Helper()
	all := r.take(kind)
	if len(all) != 1 {
		r.t.Fatalf("%d messages of type %q, want one", len(all), kind)
	}
	return all[0]
}

// none fails when a message of the type is in the air.
func (r *rig) none(kind string) {
	r.t.Helper()
	if all := r.take(kind); len(all) != 0 {
		r.t.Fatalf("%d messages of type %q, want none: %s", len(all), kind, all[0].Body)
	}
}

func (r *rig) settle(s sent, err error) {
	r.t.Helper()
	r.core.Settled(s.id, err)
	r.collect()
}

// confirm settles all that is in the air, and what follows from it.
func (r *rig) confirm() {
	r.t.Helper()
	for len(r.air) > 0 {
		next := r.air[0]
		r.air = r.air[1:]
		r.settle(next, nil)
	}
}

// routing brings the core past its flood, with the gateways in sync.
func (r *rig) routing(gateways map[protocol.GatewayID][]protocol.Group) {
	r.t.Helper()
	ids := []protocol.GatewayID{}
	for id := range gateways {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r.joins(id, 1, gateways[id]...)
		r.answers(id, 1, gateways[id]...)
	}
	if len(ids) == 0 {
		r.emit("nobody-0", "first")
	}
	r.confirm()
	for r.core.marked == 0 {
		r.pass(100 * time.Millisecond)
	}
	r.settle(r.only(protocol.TypeMark), nil)
	for _, id := range ids {
		r.beats(id, 1, gateways[id]...)
	}
	r.deliver(r.control(workerUser, protocol.TypeMark, protocol.Encode(protocol.Mark{Worker: me, Epoch: r.reign().Epoch})))
	r.confirm()
	if r.core.Flooding() {
		r.t.Fatal("the flood did not end")
	}
	if r.acked != r.tag {
		r.t.Fatalf("acked through %d of %d", r.acked, r.tag)
	}
}

func (r *rig) ackedThrough(tag uint64) {
	r.t.Helper()
	if r.acked != tag {
		r.t.Fatalf("acked through %d, want %d", r.acked, tag)
	}
}

// batch decodes a batch and checks whom it is for.
func (r *rig) batch(s sent, mode protocol.Mode, to protocol.GatewayID, sequence uint64, ids ...string) {
	r.t.Helper()
	b, err := protocol.DecodeBatch(s.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	exchange := amqpbus.ExchangeReply
	if mode == protocol.ModeFlood {
		exchange = amqpbus.ExchangeReplyAll
	}
	if s.Exchange != exchange || s.Key != string(to) || !s.Mandatory || s.Persistent || s.Expiration != 0 {
		r.t.Fatalf("the batch goes to %q with key %q, mandatory %t", s.Exchange, s.Key, s.Mandatory)
	}
	if b.Reign != r.reign() || b.Mode != mode || b.Sequence != sequence {
		r.t.Fatalf("batch %+v mode %d number %d, want %+v mode %d number %d", b.Reign, b.Mode, b.Sequence, r.reign(), mode, sequence)
	}
	var got []string
	for _, e := range b.Events {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, ids) {
		r.t.Fatalf("batch %d has events %v, want %v", sequence, got, ids)
	}
}

func read[T any](t *testing.T, s sent) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(s.Body, &v); err != nil {
		t.Fatalf("%s: %v", s.Type, err)
	}
	return v
}

func ids(from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("e%d", i))
	}
	return out
}
