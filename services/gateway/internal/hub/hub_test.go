package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

func TestDeliverReachesOnlyMembers(t *testing.T) {
	r := newRig(t)
	a, b := r.open(), r.open()
	r.hub.Apply(a.conn, groups("jobs-1", "jobs-2"), nil, []byte("joined"))
	r.hub.Apply(b.conn, groups("jobs-2"), nil, []byte("joined"))
	r.hub.Deliver(slices.Concat(events("jobs-1", "1"), events("jobs-2", "2", "3"), events("jobs-3", "4"), events("jobs-1", "5")))
	a.expect("joined", "1", "2", "3", "5")
	b.expect("joined", "2", "3")
}

// TestApplyOrdersAnswerAndEvents: no event of a joined group comes before the answer,
// and none of a left group after it.
func TestApplyOrdersAnswerAndEvents(t *testing.T) {
	r := newRig(t)
	a := r.open()
	r.hub.Apply(a.conn, groups("jobs-1"), nil, []byte("first answer"))
	r.hub.Deliver(events("jobs-1", "before"))
	r.hub.Apply(a.conn, groups("jobs-2"), groups("jobs-1"), []byte("second answer"))
	r.hub.Deliver(slices.Concat(events("jobs-1", "left"), events("jobs-2", "joined")))
	a.expect("first answer", "before", "second answer", "joined")
}

// TestMembershipsMatchModel joins and leaves groups at random and compares the hub
// with a map of sets.
func TestMembershipsMatchModel(t *testing.T) {
	h := New(Options{Logger: zap.NewNop()})
	rng := rand.New(rand.NewPCG(3, 4))
	name := func(i int) protocol.Group { return protocol.Group(fmt.Sprintf("g-%d", i)) }
	model := map[*Conn]map[protocol.Group]bool{}
	var conns []*Conn
	for range 5000 {
		switch n := rng.IntN(20); {
		case n == 0 && len(conns) < 30:
			c := &Conn{id: h.NextID()}
			h.addLocked(c)
			conns, model[c] = append(conns, c), map[protocol.Group]bool{}
		case n == 1 && len(conns) > 0:
			i := rng.IntN(len(conns))
			c := conns[i]
			left := h.Remove(c, wsconn.Ending{})
			if len(left) != len(model[c]) {
				t.Fatalf("removed from %v, the model has %v", left, model[c])
			}
			delete(model, c)
			conns = slices.Delete(conns, i, i+1)
		case len(conns) > 0:
			c, g := conns[rng.IntN(len(conns))], name(rng.IntN(3*few))
			h.mu.Lock()
			if at := c.findLocked(g); at >= 0 {
				h.leaveLocked(c, at)
			} else {
				h.joinLocked(c, g)
			}
			h.mu.Unlock()
			if model[c][g] = !model[c][g]; !model[c][g] {
				delete(model[c], g)
			}
		}
		members := map[protocol.Group]int{}
		for c, set := range model {
			if got := h.Groups(c); len(got) != len(set) || slices.ContainsFunc(got, func(g protocol.Group) bool { return !set[g] }) {
				t.Fatalf("a connection is in %v, the model has %v", got, set)
			}
			for g := range set {
				members[g]++
			}
		}
		if len(h.rooms) != len(members) {
			t.Fatalf("%d rooms, %d groups have members", len(h.rooms), len(members))
		}
		for g, n := range members {
			if h.Members(g) != n {
				t.Fatalf("%d members of %s, the model has %d", h.Members(g), g, n)
			}
		}
	}
}

func TestInvalidUTF8PayloadBecomesGap(t *testing.T) {
	r := newRig(t)
	a := r.open()
	r.hub.Apply(a.conn, groups("jobs-1"), nil, []byte("joined"))
	r.hub.Deliver(events("jobs-1", "good", "\xff", "good too"))
	a.expect("joined")
	var got []string
	for range 3 {
		text, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if want := []string{"good", "good too", `{"gap": ["jobs-1"]}`}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestRemovedConnectionGetsNothing(t *testing.T) {
	r := newRig(t)
	a := r.open()
	r.hub.Apply(a.conn, groups("jobs-1"), nil, []byte("joined"))
	left := r.hub.Remove(a.conn, wsconn.Ending{})
	if !slices.Equal(left, groups("jobs-1")) || r.hub.Members("jobs-1") != 0 || r.hub.Len() != 0 {
		t.Fatalf("left %v, %d members, %d connections", left, r.hub.Members("jobs-1"), r.hub.Len())
	}
	if r.hub.Remove(a.conn, wsconn.Ending{}) != nil {
		t.Error("a second removal left groups again")
	}
	if r.hub.Apply(a.conn, groups("jobs-1"), nil, []byte("late")) || r.hub.Members("jobs-1") != 0 {
		t.Error("a connection that is gone has joined")
	}
	r.hub.Deliver(events("jobs-1", "late"))
	a.expect("joined")
	a.conn.out.CloseNow()
}

func TestDrainClosesAllConnections(t *testing.T) {
	r := newRig(t)
	var browsers []*browser
	for range 20 {
		browsers = append(browsers, r.open())
	}
	r.hub.Apply(browsers[0].conn, groups("jobs-1"), nil, []byte("joined"))
	r.hub.Deliver(events("jobs-1", "the last event"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- r.hub.Drain(ctx, 100*time.Millisecond, 1500*time.Millisecond) }()
	browsers[0].expect("joined", "the last event")
	for _, b := range browsers {
		_, err := b.next()
		closed, ok := errors.AsType[websocket.CloseError](err)
		if !ok || closed.Code != 1001 || closed.Reason != "retry_after_ms=1500" {
			t.Fatalf("it ended with %v", err)
		}
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	late := r.dial()
	_, _, err := late.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); !ok || closed.Code != 1001 {
		t.Errorf("a connection in the drain: %v", err)
	}
}

func TestDrainCutsOffRestWhenContextEnds(t *testing.T) {
	r := newRig(t)
	b := r.open()
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- r.hub.Drain(ctx, time.Hour, time.Second) }()
	cancel()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Fatalf("the drain said %v", err)
	}
	if _, err := b.next(); err == nil {
		t.Fatal("the connection is still there")
	}
}
