package router

import (
	"slices"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// healthy delivers a message between two emits of a healthy group, and checks
// that they are routed and that everything is acked once the message is parked.
func healthy(t *testing.T, r *rig, d amqpbus.Delivery) sent {
	t.Helper()
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	last := r.deliver(emitOf("a-1", "before", `1`), d, emitOf("a-1", "after", `2`))
	r.batch(r.takeKey(string(one)), protocol.ModeDirect, one, 1, "before", "after")
	dead := r.takeKey(amqpbus.QueueDead)
	r.ackedThrough(last - 3)
	r.confirmed()
	r.ackedThrough(last - 2)
	r.settle(dead, nil)
	r.ackedThrough(last)
	return dead
}

// takeKey removes the one publish with a routing key from the air and keeps a
// batch among it to be confirmed.
func (r *rig) takeKey(key string) sent {
	r.t.Helper()
	i := slices.IndexFunc(r.air, func(s sent) bool { return s.Key == key })
	if i < 0 {
		r.t.Fatalf("nothing goes to %q", key)
	}
	s := r.air[i]
	if key == amqpbus.QueueDead {
		r.air = slices.Delete(r.air, i, i+1)
	}
	return s
}

func (r *rig) confirmed() {
	r.t.Helper()
	for _, s := range r.take(protocol.TypeBatch) {
		r.settle(s, nil)
	}
}

func TestPoisonIsParkedAndItsNeighboursAreNot(t *testing.T) {
	big := `"` + strings.Repeat("x", protocol.MaxPayload-1) + `"`
	tests := []struct {
		name   string
		group  protocol.Group
		body   string
		reason Reason
	}{
		{"empty", "a-1", "", ReasonEmpty},
		{"one byte over 1 MiB", "a-1", big, ReasonTooBig},
		{"not UTF-8", "a-1", "\"\xff\"", ReasonUTF8},
		{"an overlong encoding", "a-1", "\"\xc0\x80\"", ReasonUTF8},
		{"not JSON", "a-1", `{"id":`, ReasonJSON},
		{"two values", "a-1", `1 2`, ReasonJSON},
		{"NaN", "a-1", `NaN`, ReasonJSON},
		{"a byte order mark", "a-1", "\ufeff1", ReasonJSON},
		{"only space", "a-1", " \n", ReasonJSON},
		{"no group", "", `1`, ReasonGroup},
		{"no dash", "jobs", `1`, ReasonGroup},
		{"no name", "-1", `1`, ReasonGroup},
		{"no item", "jobs-", `1`, ReasonGroup},
		{"a group of 201 bytes", protocol.Group("j-" + strings.Repeat("x", 200)), `1`, ReasonGroup},
		{"a line feed in the group", "jobs-1\n", `1`, ReasonGroup},
		{"an escape in the group", "jobs-\x1b[2J", `1`, ReasonGroup},
		{"a group that is not UTF-8", "jobs-\xff", `1`, ReasonGroup},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dead := healthy(t, newRig(t), emitOf(test.group, "poison", test.body))
			if dead.Exchange != "" || !dead.Mandatory || dead.ID != "poison" || dead.reason != test.reason {
				t.Errorf("parked through %q, id %q, for %q; want the reason %q", dead.Exchange, dead.ID, dead.reason, test.reason)
			}
			if got := dead.Headers[HeaderReason]; got != string(test.reason) {
				t.Errorf("the header says %q, want %q", got, test.reason)
			}
			if got, want := dead.Headers[HeaderOrigin], amqpbus.ExchangeEmit+"/"+string(test.group); got != want {
				t.Errorf("the origin is %q, want %q", got, want)
			}
			if want := test.body[:min(len(test.body), keptBody)]; string(dead.Body) != want {
				t.Errorf("%d bytes of the body are kept, want %d", len(dead.Body), len(want))
			}
		})
	}
}

func TestWhatIsAtABoundIsNoPoison(t *testing.T) {
	r := newRig(t)
	group := protocol.Group("j-" + strings.Repeat("x", 199))
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1", group}})
	r.deliver(
		emitOf("a-1", "e1", `"`+strings.Repeat("x", protocol.MaxPayload-2)+`"`),
		emitOf(group, "e2", `null`),
	)
	if batches := r.take(protocol.TypeBatch); len(batches) != 2 {
		t.Fatalf("%d batches, want 2", len(batches))
	}
	if len(r.air) != 0 {
		t.Fatal("something was parked")
	}
}

func TestAnEmitOfAnotherShardIsParked(t *testing.T) {
	group := protocol.Group("a-1")
	home := protocol.ShardOf(group, 4)
	r := newRigOf(t, 4, (home+1)%4)
	d := emitOf(group, "e1", `1`)
	d.Exchange, d.Key = amqpbus.EmitShards(4), amqpbus.ShardKey(r.shard)
	d.Headers = map[string]string{amqpbus.HeaderGroup: string(group)}
	r.deliver(d)
	if dead := r.takeKey(amqpbus.QueueDead); dead.reason != ReasonShard {
		t.Fatalf("parked for %q, want %q", dead.reason, ReasonShard)
	}
	r.none(protocol.TypeBatch)
}

func TestForgedControlMessages(t *testing.T) {
	bodies := map[string][]byte{
		protocol.TypeInterest:  protocol.Encode(protocol.Interest{Stamp: protocol.Stamp{Gateway: two, Link: 1, Revision: 1}, Join: []protocol.Group{"b-1"}}),
		protocol.TypeHeartbeat: protocol.Encode(protocol.Heartbeat{Stamp: protocol.Stamp{Gateway: two, Link: 1}}),
		protocol.TypeBye:       protocol.Encode(protocol.Bye{Stamp: protocol.Stamp{Gateway: one, Link: 9}}),
		protocol.TypeMark:      protocol.Encode(protocol.Mark{Worker: me, Epoch: 1 << 60}),
		protocol.TypeLost:      protocol.Encode(protocol.Lost{Worker: other, Epoch: 1 << 60, Gateway: one}),
	}
	for kind, body := range bodies {
		wrong := []string{"", "backend", gatewayUser}
		if kind == protocol.TypeInterest || kind == protocol.TypeHeartbeat || kind == protocol.TypeBye {
			wrong[2] = workerUser
		}
		for _, user := range wrong {
			t.Run(kind+" by "+user, func(t *testing.T) {
				r := newRig(t)
				dead := healthy(t, r, r.control(user, kind, body))
				if dead.reason != ReasonForged || dead.Type != kind {
					t.Errorf("parked as %q for %q, want %q", dead.Type, dead.reason, ReasonForged)
				}
				r.none(protocol.TypeGap)
				if s := r.core.Stats(); s.Gateways != 1 || s.Groups != 1 {
					t.Errorf("stats %+v: the forged message was believed", s)
				}
				if r.core.highest >= 1<<60 {
					t.Error("the forged epoch was believed")
				}
			})
		}
	}
}

func TestControlMessagesThatCannotBeRead(t *testing.T) {
	long := strings.Repeat("g", maxIdentity+1)
	tests := []struct {
		name, user, kind, body string
		reason                 Reason
	}{
		{"no type", gatewayUser, "", `{}`, ReasonUnknown},
		{"an unknown type", gatewayUser, "batch", `{}`, ReasonUnknown},
		{"not JSON", gatewayUser, protocol.TypeInterest, `{`, ReasonControl},
		{"empty", gatewayUser, protocol.TypeHeartbeat, ``, ReasonControl},
		{"another kind of value", gatewayUser, protocol.TypeInterest, `{"gateway":1}`, ReasonControl},
		{"no gateway", gatewayUser, protocol.TypeInterest, `{"link":1,"revision":1,"join":["b-1"]}`, ReasonControl},
		{"no link", gatewayUser, protocol.TypeHeartbeat, `{"gateway":"gw-9.x"}`, ReasonControl},
		{"a revision below nothing", gatewayUser, protocol.TypeInterest, `{"gateway":"gw-9.x","link":1,"revision":-1}`, ReasonControl},
		{"an identity too long", gatewayUser, protocol.TypeBye, `{"gateway":"` + long + `","link":1}`, ReasonControl},
		{"a mark", workerUser, protocol.TypeMark, `[]`, ReasonControl},
		{"a lost message", workerUser, protocol.TypeLost, `"x"`, ReasonControl},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			dead := healthy(t, r, r.control(test.user, test.kind, []byte(test.body)))
			if dead.reason != test.reason {
				t.Errorf("parked for %q, want %q", dead.reason, test.reason)
			}
			if s := r.core.Stats(); s.Gateways != 1 {
				t.Errorf("stats %+v: it was believed", s)
			}
		})
	}
}

// A full dead queue drops its oldest; should it refuse all the same, the shard
// goes on.
func TestAMessageThatCannotBeParkedHoldsNothingUp(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	tag := r.deliver(emitOf("jobs", "poison", `1`))
	r.ackedThrough(tag - 1)
	r.settle(r.takeKey(amqpbus.QueueDead), amqpbus.ErrRefused)
	r.ackedThrough(tag)
}

// What is published to the shard's queue itself is neither a control message nor an
// emit, whatever it says.
func TestTheExchangeMakesAControlMessage(t *testing.T) {
	r := newRig(t)
	d := r.control(gatewayUser, protocol.TypeBye, protocol.Encode(protocol.Bye{Stamp: protocol.Stamp{Gateway: one, Link: 1}}))
	d.Exchange, d.Key = "", amqpbus.ShardQueue(1, 0)
	if dead := healthy(t, r, d); dead.reason != ReasonForgedEmit {
		t.Fatalf("parked for %q, want %q", dead.reason, ReasonForgedEmit)
	}
	if r.core.Stats().Gateways != 1 {
		t.Fatal("the bye was believed")
	}
}

// TestAMessageOnWhichTheRulesFailIsParked, and its neighbours are not touched.
func TestAMessageOnWhichTheRulesFailIsParked(t *testing.T) {
	r := newRig(t)
	var cause any
	r.core.o.Panicked = func(c any, stack []byte) {
		if cause = c; len(stack) == 0 {
			t.Error("there is no stack")
		}
	}
	r.core.o.Trace = func(traceparent, _ string, _ int) (string, func()) { panic("on " + traceparent) }
	d := emitOf("a-1", "poison", `1`)
	d.Headers = map[string]string{amqpbus.HeaderTrace: "it"}
	if dead := healthy(t, r, d); dead.reason != ReasonPanic || dead.ID != "poison" {
		t.Errorf("parked %q for %q", dead.ID, dead.reason)
	}
	if cause != "on it" {
		t.Errorf("told of %v", cause)
	}
}
