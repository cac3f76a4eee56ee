package hub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// setLastGap sets the time of the connection's last gap notice to an hour from now,
// which no real time in the test reaches, and returns it.
func (b *browser) setLastGap(r *rig) time.Time {
	at := time.Now().Add(time.Hour)
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	b.conn.pendingGapLocked().last = at
	return at
}

func TestGapIsSentAtOnceInOneFrame(t *testing.T) {
	r := newStillRig(t)
	a, b, stranger := r.open(), r.open(), r.open()
	r.hub.Apply(a.conn, groups("jobs-1", "jobs-2", "jobs-3"), nil, []byte("joined"))
	r.hub.Apply(b.conn, groups("jobs-2"), nil, []byte("joined"))
	r.hub.Apply(stranger.conn, groups("jobs-4"), nil, []byte("joined"))
	r.hub.Gap(groups("jobs-2", "jobs-1", "jobs-2", "jobs-9"))
	r.hub.Deliver(events("jobs-4", "not told"))
	a.expect("joined", `{"gap": ["jobs-1", "jobs-2"]}`)
	b.expect("joined", `{"gap": ["jobs-2"]}`)
	stranger.expect("joined", "not told")
}

// TestAGapOfOneConnection is told to that one, of groups that it is in, and merged like
// any other.
func TestAGapOfOneConnection(t *testing.T) {
	r := newStillRig(t)
	a, b := r.open(), r.open()
	r.hub.Apply(a.conn, groups("jobs-1", "jobs-2"), nil, []byte("joined"))
	r.hub.Apply(b.conn, groups("jobs-1"), nil, []byte("joined"))
	r.hub.GapOf(a.conn.ID(), groups("jobs-1", "jobs-9"))
	r.hub.GapOf(0, groups("jobs-1")) // a connection that has ended
	r.hub.Deliver(events("jobs-1", "event"))
	a.expect("joined", `{"gap": ["jobs-1"]}`, "event")
	b.expect("joined", "event")

	last := a.setLastGap(r)
	r.hub.GapOf(a.conn.ID(), groups("jobs-2"))
	r.hub.Gap(groups("jobs-1"))
	r.hub.Deliver(events("jobs-1", "before the second is over"))
	r.hub.sendGaps(last.Add(gapEvery))
	a.expect("before the second is over", `{"gap": ["jobs-1", "jobs-2"]}`)
}

// TestGapsWithinASecondAreMerged: they are sent in one frame, a second after the last.
func TestGapsWithinASecondAreMerged(t *testing.T) {
	r := newStillRig(t)
	a := r.open()
	r.hub.Apply(a.conn, groups("jobs-1", "jobs-2", "jobs-3"), nil, []byte("joined"))
	last := a.setLastGap(r)
	r.hub.Gap(groups("jobs-3"))
	r.hub.Gap(groups("jobs-1"))
	r.hub.sendGaps(last.Add(gapEvery - 1))
	r.hub.Deliver(events("jobs-2", "before the second is over"))
	r.hub.Gap(groups("jobs-3"))
	r.hub.sendGaps(last.Add(gapEvery))
	r.hub.sendGaps(last.Add(3 * gapEvery)) // nothing is pending any more
	r.hub.Deliver(events("jobs-2", "after it"))
	a.expect("joined", "before the second is over", `{"gap": ["jobs-1", "jobs-3"]}`, "after it")

	r.hub.Gap(groups("jobs-2")) // the second begins with the frame
	r.hub.sendGaps(last.Add(2*gapEvery - 1))
	r.hub.Deliver(events("jobs-1", "not yet"))
	r.hub.sendGaps(last.Add(2 * gapEvery))
	a.expect("not yet", `{"gap": ["jobs-2"]}`)
}

// TestPendingGapOmitsLeftGroups: a notice that had to wait does not name groups that
// were left meanwhile, and is not sent if none remain.
func TestPendingGapOmitsLeftGroups(t *testing.T) {
	r := newStillRig(t)
	a, b := r.open(), r.open()
	for _, browser := range []*browser{a, b} {
		r.hub.Apply(browser.conn, groups("jobs-1", "jobs-2"), nil, []byte("joined"))
	}
	last := a.setLastGap(r)
	b.setLastGap(r)
	r.hub.Gap(groups("jobs-1", "jobs-2"))
	r.hub.Apply(a.conn, groups("jobs-3"), groups("jobs-1"), []byte("one left"))
	r.hub.Apply(b.conn, groups("jobs-3"), groups("jobs-1", "jobs-2"), []byte("both left"))
	r.hub.sendGaps(last.Add(2 * gapEvery))
	r.hub.Deliver(events("jobs-3", "next"))
	a.expect("joined", "one left", `{"gap": ["jobs-2"]}`, "next")
	b.expect("joined", "both left", "next")
}

func TestRemovedConnectionHasNoPendingGap(t *testing.T) {
	r := newStillRig(t)
	a := r.open()
	r.hub.Apply(a.conn, groups("jobs-1"), nil, []byte("joined"))
	last := a.setLastGap(r)
	r.hub.Gap(groups("jobs-1"))
	r.hub.Remove(a.conn, wsconn.Ending{})
	r.hub.sendGaps(last.Add(2 * gapEvery))
	if len(r.hub.gapPending) != 0 {
		t.Errorf("%d connections have a pending notice", len(r.hub.gapPending))
	}
	a.conn.out.CloseNow()
	a.expect("joined")
	if text, err := a.next(); err == nil {
		t.Errorf("got %q", text)
	}
}

// TestGapShard: the notice names only the connection's groups of that shard.
func TestGapShard(t *testing.T) {
	const shards = 4
	r := newStillRig(t)
	a := r.open()
	var all []protocol.Group
	of := map[int][]protocol.Group{}
	for i := range 20 {
		g := protocol.Group(fmt.Sprintf("jobs-%d", i))
		all = append(all, g)
		of[protocol.ShardOf(g, shards)] = append(of[protocol.ShardOf(g, shards)], g)
	}
	r.hub.Apply(a.conn, all, nil, []byte("joined"))
	a.expect("joined")
	now := time.Now()
	for shard := range shards {
		if len(of[shard]) == 0 || len(of[shard]) == len(all) {
			t.Fatalf("shard %d has %d of %d groups: this test needs shards that have some", shard, len(of[shard]), len(all))
		}
		a.setLastGap(r)
		r.hub.GapShard(shard, shards)
		now = now.Add(2 * time.Hour)
		r.hub.sendGaps(now)
		a.expect(string(protocol.GapFrame(of[shard])))
	}
	// Within a second two shards, one of them twice, and a group are one notice.
	a.setLastGap(r)
	r.hub.GapShard(1, shards)
	r.hub.GapShard(2, shards)
	r.hub.GapShard(1, shards)
	r.hub.Gap(of[3][:1])
	r.hub.sendGaps(now.Add(2 * time.Hour))
	a.expect(string(protocol.GapFrame(slices.Concat(of[1], of[2], of[3][:1]))))
}
