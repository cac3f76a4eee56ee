package hub

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// TestTheSweepReachesEverybody within the ticks of a second, and no later than twice
// that where connections leave meanwhile.
func TestTheSweepReachesEverybody(t *testing.T) {
	for _, n := range []int{0, 1, sweepTicks - 1, sweepTicks, 7 * sweepTicks, 1003} {
		h := New(Options{Logger: zap.NewNop()})
		for range n {
			h.addLocked(&Conn{id: h.NextID()})
		}
		seen := map[*Conn]int{}
		most := 0
		for range sweepTicks {
			h.takePart()
			most = max(most, len(h.part))
			for _, c := range h.part {
				seen[c]++
			}
		}
		if len(seen) != n || most > n/sweepTicks+1 {
			t.Errorf("%d of %d were seen, at most %d at a time", len(seen), n, most)
		}
		stayed := map[*Conn]bool{}
		for i, c := range h.all() {
			if stayed[c] = i%3 != 0; !stayed[c] {
				c.out = new(wsconn.Conn)
				h.Remove(c, wsconn.Ending{})
			}
		}
		clear(seen)
		for range 2 * sweepTicks {
			h.takePart()
			for _, c := range h.part {
				if !stayed[c] {
					t.Fatal("one that has left was seen")
				}
				seen[c]++
			}
		}
		for c, stays := range stayed {
			if stays && seen[c] == 0 {
				t.Fatal("one that stayed was not seen")
			}
		}
	}
}

// TestATokenEnds: its connection is closed when its time has come, not before.
func TestATokenEnds(t *testing.T) {
	r := newStillRig(t)
	now := time.Now()
	with := func(expires int64) *owner {
		b, o := r.open(), new(owner)
		r.hub.mu.Lock()
		b.conn.owner, b.conn.expires = o, expires
		r.hub.mu.Unlock()
		return o
	}
	never, later, due := with(0), with(now.Add(time.Minute).UnixMilli()), with(now.UnixMilli())
	for range sweepTicks {
		r.hub.sweep(now)
	}
	if len(never.codes) != 0 || len(later.codes) != 0 {
		t.Errorf("closed without a reason: %v, %v", never.codes, later.codes)
	}
	if len(due.codes) == 0 || due.codes[0] != protocol.CloseToken {
		t.Errorf("the one whose token has ended was closed with %v", due.codes)
	}
}
