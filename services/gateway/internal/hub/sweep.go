package hub

import (
	"context"
	"slices"
	"time"

	"belfry/pkg/protocol"
)

const (
	tick = 50 * time.Millisecond
	// sweepTicks is over how many ticks the sweep of all connections is spread.
	sweepTicks = 20
)

// Run does what depends on time, until ctx ends: it pings connections, closes silent ones
// and those whose token has expired, sends gap notices that had to wait, and closes the
// connections of CloseAll and Drain at their rate.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var sets []closing
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-h.closing:
			sets = append(sets, c)
		case now := <-ticker.C:
			sets = closeDue(sets, now)
			h.sendGaps(now)
			h.sweep(now)
		}
	}
}

// sweep does what time asks for of the next part of the connections: no timer of
// their own, and the lock is held for few of them at a time. Each has its turn once a
// second; one that takes the place of another that has left, at the latest a second
// later.
func (h *Hub) sweep(now time.Time) {
	h.takePart()
	for i, c := range h.part {
		c.out.Tick(now)
		if c.expires != 0 && now.UnixMilli() >= c.expires {
			c.owner.Close(protocol.CloseToken, "")
		}
		h.part[i] = nil
	}
}

// takePart fills h.part.
func (h *Hub) takePart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next >= len(h.conns) {
		h.next = 0
	}
	end := min(h.next+len(h.conns)/sweepTicks+1, len(h.conns))
	h.part = append(h.part[:0], h.conns[h.next:end]...)
	h.next = end
}

func (h *Hub) all() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.conns)
}
