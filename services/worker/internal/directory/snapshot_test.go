package directory

import (
	"slices"
	"testing"

	"belfry/pkg/protocol"
)

func part(revision uint64, n, of int, groups ...protocol.Group) protocol.Snapshot {
	return protocol.Snapshot{
		Stamp: stamp(one, 1, revision), Reign: protocol.Reign{Epoch: 7, Worker: "w.1"},
		Part: n, Parts: of, Groups: groups,
	}
}

func TestSnapshotInOnePart(t *testing.T) {
	table := New[int]()
	v := table.Snapshot(0, part(3, 0, 1, "a-1", "a-2"))
	if v.Gateway == nil || !v.New || v.Blank || v.Ask || !v.Gateway.Synced() {
		t.Fatalf("verdict %+v, want a new gateway in sync that is not blank", v)
	}
	want(t, table, one, "a-1", "a-2")
	if v := table.Heartbeat(0, heartbeat(one, 1, 3, "a-1", "a-2")); v.Ask {
		t.Fatal("the heartbeat of the snapshot's revision does not match")
	}
}

func TestSnapshotPartsComeInAnyOrder(t *testing.T) {
	parts := []protocol.Snapshot{part(3, 0, 3, "a-1"), part(3, 1, 3, "a-2", "a-3"), part(3, 2, 3)}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 1, 2, 2, 1, 0}} {
		table := New[int]()
		table.Interest(0, joins(one, 1, 1, "gone-1"))
		for i, n := range order {
			v := table.Snapshot(0, parts[n])
			last := i == len(order)-1
			if v.Gateway == nil || v.Gateway.Synced() != last {
				t.Fatalf("order %v, after part %d: synced %t, want %t", order, n, !last, last)
			}
			if !last {
				want(t, table, one, "gone-1")
			}
		}
		want(t, table, one, "a-1", "a-2", "a-3")
	}
}

func TestSnapshotKeepsWhatIsNewer(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "old-1", "stays-1", "left-1"))
	table.Interest(0, joins(one, 1, 4, "new-1"))
	table.Interest(0, leaves(one, 1, 5, "left-1"))
	table.Snapshot(0, part(3, 0, 1, "left-1", "stays-1"))
	// old-1 had gone by revision 3; new-1 and the leaving of left-1 are later.
	want(t, table, one, "new-1", "stays-1")
	table.Interest(0, joins(one, 1, 3, "old-1"))
	want(t, table, one, "new-1", "stays-1")
	if v := table.Heartbeat(0, heartbeat(one, 1, 5, "new-1", "stays-1")); v.Ask {
		t.Fatal("the heartbeat of the newest revision does not match")
	}
}

// TestSnapshotOverridesOlderChanges: changes that are older than the snapshot, and are
// consumed after it, have no effect.
func TestSnapshotOverridesOlderChanges(t *testing.T) {
	table := New[int]()
	table.Interest(0, joins(one, 1, 1, "a-1"))
	table.Snapshot(0, part(4, 0, 1, "a-1", "a-3"))
	table.Interest(0, leaves(one, 1, 2, "a-1"))
	table.Interest(0, joins(one, 1, 3, "a-2"))
	table.Interest(0, joins(one, 1, 4, "a-2", "a-3"))
	want(t, table, one, "a-1", "a-3")
	if v := table.Heartbeat(0, heartbeat(one, 1, 3, "a-2")); v.Ask || !v.Gateway.Synced() {
		t.Fatalf("an old heartbeat: %+v, want in sync", v)
	}
	table.Interest(0, leaves(one, 1, 5, "a-1"))
	want(t, table, one, "a-3")
}

func TestNewerSnapshotReplacesUnfinishedOne(t *testing.T) {
	table := New[int]()
	table.Snapshot(0, part(3, 0, 2, "a-1"))
	table.Snapshot(0, part(5, 0, 2, "b-1"))
	table.Snapshot(0, part(3, 1, 2, "a-2")) // of the one before: dropped
	if table.Gateway(one).Synced() {
		t.Fatal("two halves of two snapshots made a whole")
	}
	table.Snapshot(0, part(5, 1, 2, "b-2"))
	want(t, table, one, "b-1", "b-2")
	if v := table.Snapshot(0, part(4, 0, 1)); v.Gateway != nil {
		t.Fatal("a snapshot older than the base was taken")
	}
	want(t, table, one, "b-1", "b-2")
}

func TestPartsOfOneRevisionButTwoReignsDoNotMix(t *testing.T) {
	table := New[int]()
	other := part(3, 1, 2, "a-2")
	other.Reign.Epoch = 8
	table.Snapshot(0, part(3, 0, 2, "a-1"))
	table.Snapshot(0, other)
	if table.Gateway(one).Synced() {
		t.Fatal("parts that answer two reigns made a whole")
	}
	first := part(3, 0, 2, "a-1")
	first.Reign.Epoch = 8
	table.Snapshot(0, first)
	want(t, table, one, "a-1", "a-2")
}

func TestSnapshotOutOfBounds(t *testing.T) {
	for _, m := range []protocol.Snapshot{
		part(1, 0, 0), part(1, -1, 1), part(1, 1, 1), part(1, 0, -1), part(1, 0, maxParts+1),
	} {
		table := New[int]()
		if v := table.Snapshot(0, m); v.Gateway != nil || len(table.Gateways()) != 0 {
			t.Errorf("part %d of %d was taken", m.Part, m.Parts)
		}
	}
}

// TestSnapshotDoesNotSetLink: as long as the queue has not said a gateway's link, a snapshot
// must not make messages of an earlier link in the queue be ignored.
func TestSnapshotDoesNotSetLink(t *testing.T) {
	table := New[int]()
	m := part(3, 0, 1, "a-1")
	m.Link = 5
	table.Snapshot(0, m)
	table.Interest(0, joins(one, 4, 4, "a-2"))
	want(t, table, one, "a-1", "a-2")
	table.Interest(0, joins(one, 5, 5, "a-3"))
	table.Interest(0, leaves(one, 4, 6, "a-3"))
	if got := held(t, table, one); !slices.Contains(got, "a-3") {
		t.Fatal("once the queue told the link, a lower one still counted")
	}
}
