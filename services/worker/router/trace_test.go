package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func tracedEmit(group protocol.Group, trace string) amqpbus.Delivery {
	d := emitOf(group, "", "{}")
	d.Headers = map[string]string{amqpbus.HeaderTrace: trace}
	return d
}

func (r *rig) traceOf() []string {
	r.t.Helper()
	var out []string
	for _, m := range r.air {
		if m.Type != protocol.TypeBatch {
			continue
		}
		b, err := protocol.DecodeBatch(m.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range b.Events {
			out = append(out, e.Trace)
		}
	}
	return out
}

// An emit's span begins once, travels on to every gateway, and ends with the
// ack, not before.
func TestTheSpanOfAnEmit(t *testing.T) {
	r := newRig(t)
	var log []string
	r.core.o.Trace = func(traceparent, group string, shard int) (string, func()) {
		if traceparent == "unsampled" {
			return traceparent, nil
		}
		log = append(log, fmt.Sprint("begin ", traceparent, " ", group, " ", shard))
		return traceparent + "-routed", func() { log = append(log, "end "+traceparent) }
	}
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}, two: {"a-1"}})
	r.deliver(tracedEmit("a-1", "first"), tracedEmit("a-1", "unsampled"), emitOf("a-1", "", "{}"))
	if got, want := r.traceOf(), []string{"first-routed", "unsampled", "", "first-routed", "unsampled", ""}; !slices.Equal(got, want) {
		t.Errorf("with the events travels %q, want %q", got, want)
	}
	if want := []string{"begin first a-1 0"}; !slices.Equal(log, want) {
		t.Errorf("before the confirms: %q", log)
	}
	r.confirm()
	if want := []string{"begin first a-1 0", "end first"}; !slices.Equal(log, want) {
		t.Errorf("after the confirms: %q", log)
	}
}

// A backend's header must not make batches long.
func TestALongTraceDoesNotTravel(t *testing.T) {
	r := newRig(t)
	r.routing(map[protocol.GatewayID][]protocol.Group{one: {"a-1"}})
	r.deliver(tracedEmit("a-1", strings.Repeat("x", maxTrace)), tracedEmit("a-1", strings.Repeat("x", maxTrace+1)))
	if got := r.traceOf(); len(got) != 2 || len(got[0]) != maxTrace || got[1] != "" {
		t.Errorf("with the events travels %q", got)
	}
}

// Without tracing an emit with a traceparent allocates what one without does.
func TestTracingOffAllocatesNothing(t *testing.T) {
	c := NewCore(CoreOptions{Worker: me, Shards: 1})
	e := entry{delivery: tracedEmit("a-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}
	n := testing.AllocsPerRun(100, func() {
		e.trace = ""
		c.follow(&e, "a-1")
	})
	if n != 0 || e.trace == "" || e.routed != nil {
		t.Errorf("%v allocations, %q travels on", n, e.trace)
	}
}
