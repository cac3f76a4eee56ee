package directory

import (
	"slices"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

const (
	one = protocol.GatewayID("gw-1.aaaa")
	two = protocol.GatewayID("gw-2.bbbb")
)

func stamp(id protocol.GatewayID, link, revision uint64) protocol.Stamp {
	return protocol.Stamp{Gateway: id, Link: link, Revision: revision}
}

func joins(id protocol.GatewayID, link, revision uint64, groups ...protocol.Group) protocol.Interest {
	return protocol.Interest{Stamp: stamp(id, link, revision), Join: groups}
}

func leaves(id protocol.GatewayID, link, revision uint64, groups ...protocol.Group) protocol.Interest {
	return protocol.Interest{Stamp: stamp(id, link, revision), Leave: groups}
}

func heartbeat(id protocol.GatewayID, link, revision uint64, groups ...protocol.Group) protocol.Heartbeat {
	h := protocol.Heartbeat{Stamp: stamp(id, link, revision), Count: len(groups)}
	for _, g := range groups {
		h.Digest ^= protocol.Digest(g)
	}
	return h
}

// held returns a gateway's groups, sorted, after comparing the table's other indexes with
// them.
func held(t *testing.T, table *Table[int], id protocol.GatewayID) []protocol.Group {
	t.Helper()
	check(t, table)
	g := table.Gateway(id)
	if g == nil {
		return nil
	}
	var out []protocol.Group
	for group := range g.groups {
		out = append(out, group)
	}
	slices.Sort(out)
	return out
}

// check compares every index of the table with the gateways' own sets.
func check(t *testing.T, table *Table[int]) {
	t.Helper()
	pairs := 0
	var before protocol.GatewayID
	for _, g := range table.Gateways() {
		if g.ID <= before || table.Gateway(g.ID) != g {
			t.Fatalf("the list of gateways is not by id, or not the map's: %q after %q", g.ID, before)
		}
		before = g.ID
		if g.Synced() == slices.Contains(table.Unsynced(), g) {
			t.Fatalf("%s: in sync is %t, and so is being listed as not in sync", g.ID, g.Synced())
		}
		digest := uint64(0)
		for group := range g.groups {
			digest ^= protocol.Digest(group)
			pairs++
			if !slices.Contains(table.Interested(group), g) || !g.Holds(group) || !table.Knows(group) {
				t.Fatalf("%s holds %s, which the index does not say", g.ID, group)
			}
		}
		if digest != g.Digest() || len(g.groups) != g.Count() {
			t.Fatalf("%s: digest %x and count %d do not fit its %d groups", g.ID, g.Digest(), g.Count(), len(g.groups))
		}
	}
	for _, list := range table.groups {
		pairs -= len(list)
	}
	if pairs != 0 {
		t.Fatalf("the index of groups differs from the gateways' sets by %d", pairs)
	}
	if !slices.IsSortedFunc(table.Unsynced(), func(a, b *Gateway[int]) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	}) {
		t.Fatal("the gateways not in sync are not listed by id")
	}
}

func want(t *testing.T, table *Table[int], id protocol.GatewayID, groups ...protocol.Group) {
	t.Helper()
	if got := held(t, table, id); !slices.Equal(got, groups) {
		t.Fatalf("%s holds %v, want %v", id, got, groups)
	}
}

func TestJoinsAndLeaves(t *testing.T) {
	table := New[int]()
	v := table.Interest(0, joins(one, 1, 1, "a-1", "a-2"))
	if v.Gateway == nil || !v.New || !v.Blank || !v.Ask {
		t.Fatalf("the first word of a gateway: %+v, want new, blank, to be asked", v)
	}
	if v := table.Interest(0, joins(one, 1, 2, "a-3")); v.New || v.Blank || v.Ask {
		t.Fatalf("the second word of a gateway: %+v, want nothing of it", v)
	}
	table.Interest(0, joins(two, 1, 1, "a-2"))
	want(t, table, one, "a-1", "a-2", "a-3")
	want(t, table, two, "a-2")
	if n := table.Groups(); n != 3 {
		t.Fatalf("the table has %d groups, want 3", n)
	}
	table.Interest(0, leaves(one, 1, 3, "a-1", "a-2", "never-joined"))
	want(t, table, one, "a-3")
	if got := table.Interested("a-2"); len(got) != 1 || got[0].ID != two {
		t.Fatalf("interested in a-2 are %v, want the second gateway alone", got)
	}
	if table.Knows("a-1") || len(table.Interested("a-1")) != 0 || table.Groups() != 2 {
		t.Fatal("a group that nobody has is still known")
	}
}

func TestOneMessageMayLeaveAndJoin(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1"))
	table.Interest(0, protocol.Interest{Stamp: stamp(one, 1, 2), Join: []protocol.Group{"a-2"}, Leave: []protocol.Group{"a-1"}})
	want(t, table, one, "a-2")
}

func TestGatewayFirstHeardLaterIsNotBlank(t *testing.T) {
	table := New[int]()
	if v := table.Interest(0, joins(one, 1, 2, "a-1")); !v.New || v.Blank {
		t.Fatalf("the first word seen is the second said: %+v, want new and not blank", v)
	}
	if v := table.Heartbeat(0, heartbeat(two, 1, 0)); !v.New || !v.Blank || v.Ask {
		t.Fatalf("a heartbeat before any interest: %+v, want new, blank and nothing to ask", v)
	}
	if !table.Gateway(two).Synced() {
		t.Fatal("a gateway that announced nothing is in sync with an empty table")
	}
}

func TestLowerLinkIsIgnored(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 2, 5, "a-1"))
	for name, v := range map[string]Verdict[int]{
		"interest":  table.Interest(time.Second, leaves(one, 1, 6, "a-1")),
		"heartbeat": table.Heartbeat(time.Second, heartbeat(one, 1, 6)),
		"snapshot":  table.Snapshot(time.Second, protocol.Snapshot{Stamp: stamp(one, 1, 6), Parts: 1}),
	} {
		if v.Gateway != nil || v.New || v.Ask {
			t.Errorf("%s of a lower link: %+v, want nothing", name, v)
		}
	}
	if g := table.Bye(protocol.Bye{Stamp: stamp(one, 1, 6)}); g != nil {
		t.Error("the bye of a lower link removed the gateway")
	}
	want(t, table, one, "a-1")
	if at := table.Gateway(one).Heard(); at != 0 {
		t.Errorf("a lower link counts as heard at %s", at)
	}
}

func TestOlderRevisionOfGroupIsIgnored(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 4, "a-1"))
	table.Interest(0, leaves(one, 1, 3, "a-1")) // sent again after it was refused, and late
	want(t, table, one, "a-1")
	table.Interest(0, leaves(one, 1, 5, "a-1"))
	table.Interest(0, joins(one, 1, 4, "a-1"))
	want(t, table, one)
	// The revision is per group: an older one of another group counts.
	table.Interest(0, joins(one, 1, 2, "a-2"))
	want(t, table, one, "a-2")
}

func TestSameRevisionTwiceChangesNothing(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1"))
	table.Interest(0, joins(one, 1, 1, "a-1"))
	table.Interest(0, leaves(one, 1, 2, "a-1"))
	table.Interest(0, leaves(one, 1, 2, "a-1"))
	want(t, table, one)
	table.Interest(0, joins(one, 1, 3, "a-1"))
	want(t, table, one, "a-1")
}

func TestHeartbeat(t *testing.T) {
	tests := []struct {
		name   string
		beat   protocol.Heartbeat
		synced bool
		ask    bool
	}{
		{"matches", heartbeat(one, 1, 2, "a-1", "a-2"), true, false},
		{"another count", heartbeat(one, 1, 2, "a-1"), false, true},
		{"another digest", heartbeat(one, 1, 2, "a-1", "a-3"), false, true},
		{"a revision that was not seen", heartbeat(one, 1, 3, "a-1", "a-2"), false, true},
		{"older than the table, not in sync before", heartbeat(one, 1, 1, "a-1"), false, true},
		{"a higher link", heartbeat(one, 2, 2, "a-1", "a-2"), true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := New[int]()
			table.Interest(0, joins(one, 1, 1, "a-1"))
			table.Interest(0, joins(one, 1, 2, "a-2"))
			v := table.Heartbeat(time.Second, test.beat)
			if v.Gateway == nil || v.Ask != test.ask || v.Gateway.Synced() != test.synced {
				t.Fatalf("verdict %+v, synced %t; want ask %t, synced %t", v, v.Gateway.Synced(), test.ask, test.synced)
			}
			if v.Gateway.Heard() != time.Second {
				t.Errorf("heard at %s, want 1s", v.Gateway.Heard())
			}
			check(t, table)
		})
	}
}

func TestOldHeartbeatKeepsGatewayInSync(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1"))
	table.Heartbeat(0, heartbeat(one, 1, 1, "a-1"))
	table.Interest(0, joins(one, 1, 2, "a-2"))
	if v := table.Heartbeat(0, heartbeat(one, 1, 1, "a-1")); v.Ask || !v.Gateway.Synced() {
		t.Fatalf("verdict %+v, want in sync and nothing to ask", v)
	}
}

func TestByeAndRemove(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1", "a-2"))
	table.Interest(0, joins(two, 1, 1, "a-2"))
	table.Gateway(one).Peer = 7
	if g := table.Bye(protocol.Bye{Stamp: stamp(one, 1, 1)}); g == nil || g.Peer != 7 {
		t.Fatalf("bye gives %+v, want the gateway with what was attached", g)
	}
	if g := table.Bye(protocol.Bye{Stamp: stamp(one, 1, 1)}); g != nil {
		t.Fatal("a second bye removed something")
	}
	check(t, table)
	if table.Gateway(one) != nil || table.Knows("a-1") || len(table.Gateways()) != 1 || len(table.Unsynced()) != 1 {
		t.Fatal("the gateway left a trace")
	}
	if v := table.Interest(0, joins(one, 1, 2, "a-1")); !v.New || v.Blank {
		t.Fatalf("a gateway that comes back: %+v, want new and not blank", v)
	}
	want(t, table, one, "a-1")
	table.Reset()
	check(t, table)
	if len(table.Gateways())+table.Groups()+len(table.Unsynced()) != 0 {
		t.Fatal("something outlived the reset")
	}
}

// TestOnlyQueueMessagesUpdateHeard: whether a gateway is alive is judged by its messages in
// the queue, not by its snapshots.
func TestOnlyQueueMessagesUpdateHeard(t *testing.T) {
	table := New[int]()
	table.Heartbeat(3*time.Second, heartbeat(one, 1, 0))
	table.Snapshot(9*time.Second, protocol.Snapshot{Stamp: stamp(one, 1, 0), Parts: 1})
	if at := table.Gateway(one).Heard(); at != 3*time.Second {
		t.Fatalf("heard at %s, want 3s: a snapshot proves no position in the queue", at)
	}
	table.Interest(5*time.Second, joins(one, 1, 1, "a-1"))
	if at := table.Gateway(one).Heard(); at != 5*time.Second {
		t.Fatalf("heard at %s, want 5s", at)
	}
	table.Snapshot(9*time.Second, protocol.Snapshot{Stamp: stamp(two, 1, 0), Parts: 1})
	if at := table.Gateway(two).Heard(); at != 9*time.Second {
		t.Fatalf("a gateway that was not known is heard at %s, want 9s", at)
	}
}

func TestLookingUpDoesNotAllocate(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1"))
	n := testing.AllocsPerRun(100, func() {
		if len(table.Interested("a-1"))+len(table.Unsynced())+len(table.Gateways()) != 3 {
			t.Fatal("the gateway is missing")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations, want none", n)
	}
}
