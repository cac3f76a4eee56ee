package hub

import (
	"slices"
	"time"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// gapEvery is the least time between two gap frames of one connection.
const gapEvery = time.Second

// owed is what a connection is to be told of.
type owed struct {
	groups map[protocol.Group]struct{} // nil: none by name
	shards []int                       // all groups of these
	of     int                         // the number of shards
}

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
	for _, c := range h.conns {
		if len(c.places) == 0 || slices.Contains(c.gaps.shards, shard) {
			continue
		}
		c.gaps.shards, c.gaps.of = append(c.gaps.shards, shard), shards
		h.owing[c] = struct{}{}
	}
	h.mu.Unlock()
	h.sendGaps(time.Now())
}

func (h *Hub) gapLocked(r *room) {
	for _, m := range r.members {
		h.oweLocked(m.conn, r.group)
	}
}

func (h *Hub) oweLocked(c *Conn, g protocol.Group) {
	if c.gaps.groups == nil {
		c.gaps.groups = map[protocol.Group]struct{}{}
	}
	c.gaps.groups[g] = struct{}{}
	h.owing[c] = struct{}{}
}

// sendGaps sends the notices whose connection had none for a second. The lock is
// held for one connection at a time: there may be many, with many groups each.
func (h *Hub) sendGaps(now time.Time) {
	for _, c := range h.due(now) {
		if h.sendGap(c, now) {
			c.out.Flush()
		}
	}
}

// gapOfAll tells a connection of a gap in all its groups, now.
func (h *Hub) gapOfAll(c *Conn) {
	h.mu.Lock()
	for i := range c.places {
		h.oweLocked(c, c.places[i].room.group)
	}
	h.mu.Unlock()
	if h.sendGap(c, time.Now()) {
		c.out.Flush()
	}
}

func (h *Hub) due(now time.Time) []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	var due []*Conn
	for c := range h.owing {
		if now.Sub(c.lastGap) >= gapEvery {
			due = append(due, c)
		}
	}
	return due
}

// sendGap puts a connection's notice into its outbox; false: there is none.
func (h *Hub) sendGap(c *Conn, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, still := h.owing[c]; !still {
		return false // another call was faster, or the connection is gone
	}
	delete(h.owing, c)
	groups := c.gapsHereLocked()
	c.gaps = owed{}
	if len(groups) == 0 {
		return false
	}
	c.lastGap = now
	if !c.out.Push(wsconn.FrameText(protocol.GapFrame(groups))) {
		return false
	}
	h.metrics.gaps.Inc()
	return true
}

// gapsHereLocked are the groups owed a notice that the connection is still in:
// the gap of a group that was left concerns it no more.
func (c *Conn) gapsHereLocked() []protocol.Group {
	var out []protocol.Group
	for i := range c.places {
		g := c.places[i].room.group
		_, named := c.gaps.groups[g]
		if named || len(c.gaps.shards) > 0 && slices.Contains(c.gaps.shards, protocol.ShardOf(g, c.gaps.of)) {
			out = append(out, g)
		}
	}
	return out
}
