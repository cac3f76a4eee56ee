package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"belfry/pkg/protocol"
)

// closing is connections that are to be closed one after the other.
type closing struct {
	conns  []*Conn
	code   protocol.CloseCode
	reason string
	start  time.Time
	spread time.Duration
	before func(*Conn) // called for each before it is closed; may be nil
	done   int
}

// CloseAll closes the connections of now, in random order, spread evenly over
// the given time (0: at once), each with a notice of a gap in all its groups
// before: there is no route, so what was published since the last one is lost to
// it. It returns at once; Run does the closing.
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

// upTo closes until n are closed.
func (c *closing) upTo(n int) {
	for ; c.done < n; c.done++ {
		if c.before != nil {
			c.before(c.conns[c.done])
		}
		c.conns[c.done].owner.Close(c.code, c.reason)
		c.conns[c.done] = nil
	}
}

// closeSome does what is due of each piece of work and returns what is left.
func closeSome(work []closing, now time.Time) []closing {
	left := work[:0]
	for _, c := range work {
		part := min(1, float64(now.Sub(c.start))/float64(c.spread))
		c.upTo(int(part * float64(len(c.conns))))
		if c.done < len(c.conns) {
			left = append(left, c)
		}
	}
	return left
}

// Drain takes no more connections and asks those that are here to leave, spread
// over the period, with 1001 and `retry_after_ms=<retry>` as the reason. It
// returns when all are gone, or ctx ends: then it drops the rest and says so.
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
