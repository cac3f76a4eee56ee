package hub

import (
	"slices"
	"time"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// gapEvery is the minimum time between two gap frames to one connection.
const gapEvery = time.Second

// pendingGap holds the gaps that a connection has not been told about yet.
type pendingGap struct {
	groups map[protocol.Group]struct{} // single groups; nil: none
	shards []int                       // shards all of whose groups have a gap
	of     int                         // the number of shards in the layout
	last   time.Time                   // when the connection was last told of a gap
}

func (c *Conn) pendingGapLocked() *pendingGap {
	if c.gaps == nil {
		c.gaps = new(pendingGap)
	}
	return c.gaps
}

// Gap tells every connection in one of the groups that events of it may be missing.
// A connection gets at most one notice a second; gaps that arrive in between are
// merged into the next one.
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

// GapOf is Gap for one connection alone.
func (h *Hub) GapOf(id protocol.ConnID, groups []protocol.Group) {
	now := time.Now()
	h.mu.Lock()
	c := h.byID[id]
	if c != nil {
		for _, g := range groups {
			h.addGapLocked(c, g)
		}
	}
	later := c == nil || now.Sub(c.pendingGapLocked().last) < gapEvery // Run sends it
	h.mu.Unlock()
	if !later && h.sendGap(c, now) {
		c.out.Flush()
	}
}

// GapShard is Gap for every group of one shard, where shards is the number of shards.
func (h *Hub) GapShard(shard, shards int) {
	h.mu.Lock()
	for _, c := range h.conns {
		if len(c.memberships) == 0 {
			continue
		}
		pending := c.pendingGapLocked()
		if slices.Contains(pending.shards, shard) {
			continue
		}
		pending.shards, pending.of = append(pending.shards, shard), shards
		h.gapPending[c] = struct{}{}
	}
	h.mu.Unlock()
	h.sendGaps(time.Now())
}

func (h *Hub) gapLocked(r *room) {
	for _, m := range r.members {
		h.addGapLocked(m.conn, r.group)
	}
}

func (h *Hub) addGapLocked(c *Conn, g protocol.Group) {
	pending := c.pendingGapLocked()
	if pending.groups == nil {
		pending.groups = map[protocol.Group]struct{}{}
	}
	pending.groups[g] = struct{}{}
	h.gapPending[c] = struct{}{}
}

// sendGaps sends the pending notices of all connections that had none within the
// last second. It takes the lock anew for each connection, because there may be many
// connections with many groups each.
func (h *Hub) sendGaps(now time.Time) {
	for _, c := range h.due(now) {
		if h.sendGap(c, now) {
			c.out.Flush()
		}
	}
}

// gapOfAll sends a connection a gap notice for all its groups at once.
func (h *Hub) gapOfAll(c *Conn) {
	h.mu.Lock()
	for i := range c.memberships {
		h.addGapLocked(c, c.memberships[i].room.group)
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
	for c := range h.gapPending {
		if now.Sub(c.gaps.last) >= gapEvery {
			due = append(due, c)
		}
	}
	return due
}

// sendGap puts a connection's pending notice into its outbox. It reports false when
// nothing was put there.
func (h *Hub) sendGap(c *Conn, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, still := h.gapPending[c]; !still {
		return false // another call has sent it, or the connection was removed
	}
	delete(h.gapPending, c)
	groups := c.gapGroupsLocked()
	*c.gaps = pendingGap{last: c.gaps.last}
	if len(groups) == 0 {
		return false
	}
	c.gaps.last = now
	if !c.out.Push(wsconn.FrameText(protocol.GapFrame(groups))) {
		return false
	}
	h.metrics.gaps.Inc()
	return true
}

// gapGroupsLocked returns the groups with a pending gap that the connection is still
// in. A gap of a group that it has left does not concern it any more.
func (c *Conn) gapGroupsLocked() []protocol.Group {
	var out []protocol.Group
	for i := range c.memberships {
		g := c.memberships[i].room.group
		_, named := c.gaps.groups[g]
		if named || len(c.gaps.shards) > 0 && slices.Contains(c.gaps.shards, protocol.ShardOf(g, c.gaps.of)) {
			out = append(out, g)
		}
	}
	return out
}
