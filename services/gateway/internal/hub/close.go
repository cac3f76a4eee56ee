package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"belfry/pkg/protocol"
)

// closing is a set of connections to be closed one after the other, at an even
// rate, over the time spread.
type closing struct {
	conns  []*Conn
	code   protocol.CloseCode
	reason string
	start  time.Time
	spread time.Duration
	before func(*Conn) // called with each connection before it is closed; may be nil
	done   int         // how many of conns are closed
}

// CloseAll closes the connections that exist now, in random order, evenly over the
// time spread (0: all at once). It is called when events no longer reach this
// gateway, so each connection is first sent a gap notice for all its groups.
// CloseAll does not wait: Run closes the connections. Those added later stay open.
func (h *Hub) CloseAll(code protocol.CloseCode, spread time.Duration) {
	h.closeSpread(closing{code: code, spread: spread, before: h.gapOfAll})
}

func (h *Hub) closeSpread(c closing) {
	c.conns, c.start = h.all(), time.Now()
	rand.Shuffle(len(c.conns), func(i, j int) { c.conns[i], c.conns[j] = c.conns[j], c.conns[i] })
	if c.spread <= 0 {
		c.upTo(len(c.conns))
		return
	}
	h.closing <- c
}

// upTo closes connections until n of them are closed.
func (c *closing) upTo(n int) {
	for ; c.done < n; c.done++ {
		if c.before != nil {
			c.before(c.conns[c.done])
		}
		c.conns[c.done].owner.Close(c.code, c.reason)
		c.conns[c.done] = nil
	}
}

// closeDue closes the connections whose time has come and returns the sets that
// still have connections to close.
func closeDue(sets []closing, now time.Time) []closing {
	left := sets[:0]
	for _, c := range sets {
		part := min(1, float64(now.Sub(c.start))/float64(c.spread))
		c.upTo(int(part * float64(len(c.conns))))
		if c.done < len(c.conns) {
			left = append(left, c)
		}
	}
	return left
}

// Drain makes Add refuse new connections and closes the existing ones, evenly over
// the period, with code 1001 and the reason `retry_after_ms=<retry>`. It returns nil
// when all are gone. If ctx ends first, it cuts off the remaining connections without
// a close frame and returns an error that says how many. A second call only waits.
func (h *Hub) Drain(ctx context.Context, period, retry time.Duration) error {
	h.mu.Lock()
	first := !h.draining
	h.draining = true
	if first && len(h.conns) == 0 {
		close(h.empty)
	}
	h.mu.Unlock()
	if first {
		h.closeSpread(closing{
			code: protocol.CloseGoingAway, reason: fmt.Sprintf("retry_after_ms=%d", retry.Milliseconds()), spread: period,
		})
	}
	select {
	case <-h.empty:
		return nil
	case <-ctx.Done():
	}
	rest := h.all()
	for _, c := range rest {
		c.out.CloseNow()
	}
	return fmt.Errorf("drain: %d connections did not close in time and were cut off: %w", len(rest), ctx.Err())
}
