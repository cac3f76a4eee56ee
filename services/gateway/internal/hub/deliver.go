package hub

import (
	"unicode/utf8"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// rowSize bounds, in bytes, the events that are joined in one row. One larger
// event is a row of its own.
const rowSize = 64 << 10

// Deliver puts a batch of events, in order, into the outboxes of the groups'
// members here, and writes to each touched socket once. A run of events of one
// group is encoded and joined once for all its members. It returns when every
// outbox has the events. The events' memory is not kept.
//
// One goroutine calls it.
func (h *Hub) Deliver(events []protocol.Event) {
	h.touched = h.touched[:0]
	h.mu.Lock()
	for len(events) > 0 {
		n := run(events)
		if r := h.rooms[events[0].Group]; r != nil {
			h.deliverLocked(r, events[:n])
		}
		events = events[n:]
	}
	for _, c := range h.touched {
		c.touched = false
	}
	h.mu.Unlock()
	for i, c := range h.touched {
		c.out.Flush()
		h.touched[i] = nil
	}
}

// run counts the events at the front that make one row.
func run(events []protocol.Event) int {
	size := wsconn.FrameSize(len(events[0].Payload))
	n := 1
	for ; n < len(events) && events[n].Group == events[0].Group; n++ {
		if size += wsconn.FrameSize(len(events[n].Payload)); size > rowSize {
			break
		}
	}
	return n
}

func (h *Hub) deliverLocked(r *room, events []protocol.Event) {
	row, frames := encode(events)
	if frames < len(events) {
		// The worker refuses such emits, so this is a fault; a text frame must
		// be UTF-8 (RFC 6455 5.6), and nothing is dropped in silence.
		h.metrics.undeliverable.Add(float64(len(events) - frames))
		h.gapLocked(r)
	}
	if frames == 0 {
		return
	}
	taken := 0
	for i := range r.members {
		c := r.members[i].conn
		if !c.out.Push(row) {
			continue
		}
		taken++
		if !c.touched {
			c.touched = true
			h.touched = append(h.touched, c)
		}
	}
	h.metrics.deliveries.Add(float64(taken * frames))
	h.metrics.bytes.Add(float64(taken * len(row)))
}

// encode frames the events' payloads, leaving out what is not UTF-8.
func encode(events []protocol.Event) (row []byte, frames int) {
	size := 0
	for i := range events {
		size += wsconn.FrameSize(len(events[i].Payload))
	}
	row = make([]byte, 0, size)
	for i := range events {
		if utf8.Valid(events[i].Payload) {
			row = wsconn.AppendText(row, events[i].Payload)
			frames++
		}
	}
	return row, frames
}
