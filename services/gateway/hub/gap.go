package hub

import (
	"time"

	"belfry/pkg/protocol"
	"belfry/services/gateway/wsconn"
)

// gapEvery is the least time between two gap frames of one connection.
const gapEvery = time.Second

// Gap tells every connection that is in one of these groups that events of them
// may have been lost. Notices of one connection within a second are merged.
func (h *Hub) Gap(groups []protocol.Group) {
	h.mu.Lock()
	for _, g := range groups {
		if r := h.rooms[g]; r != nil {
			h.gapLocked(r)
		}
	}
	h.mu.Unlock()
	h.sendGaps(time.Now())
}

// GapShard is Gap for all groups of one of shards shards.
func (h *Hub) GapShard(shard, shards int) {
	h.mu.Lock()
	for g, r := range h.rooms {
		if protocol.ShardOf(g, shards) == shard {
			h.gapLocked(r)
		}
	}
	h.mu.Unlock()
	h.sendGaps(time.Now())
}

func (h *Hub) gapLocked(r *room) {
	for _, m := range r.members {
		if m.conn.gaps == nil {
			m.conn.gaps = map[protocol.Group]struct{}{}
		}
		m.conn.gaps[r.group] = struct{}{}
		h.owed[m.conn] = struct{}{}
	}
}

// sendGaps sends the notices whose connection had none for a second.
func (h *Hub) sendGaps(now time.Time) {
	var flush []*Conn
	h.mu.Lock()
	for c := range h.owed {
		if now.Sub(c.lastGap) < gapEvery {
			continue
		}
		delete(h.owed, c)
		groups := c.gapsHereLocked()
		c.gaps = nil
		if len(groups) == 0 {
			continue
		}
		c.lastGap = now
		if c.out.Push(wsconn.FrameText(protocol.GapFrame(groups))) {
			h.metrics.gaps.Inc()
			flush = append(flush, c)
		}
	}
	h.mu.Unlock()
	for _, c := range flush {
		c.out.Flush()
	}
}

// gapsHereLocked are the groups owed a notice that the connection is still in:
// the gap of a group that was left concerns it no more.
func (c *Conn) gapsHereLocked() []protocol.Group {
	out := make([]protocol.Group, 0, len(c.gaps))
	for g := range c.gaps {
		if c.find(g) >= 0 {
			out = append(out, g)
		}
	}
	return out
}
