package hub

import (
	"unicode/utf8"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// chunkSize bounds the size of a chunk in bytes. A larger event is a chunk of its
// own.
const chunkSize = 64 << 10

// Deliver puts events, in order, into the outboxes of their groups' members on this
// gateway, then writes to each affected socket once. Consecutive events of one group
// are encoded once for all members. It returns when every outbox has the events; it
// does not wait for slow sockets. The events and their payloads are not retained.
//
// Only one goroutine may call it.
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

// run returns how many events at the front go into the next chunk.
func run(events []protocol.Event) int {
	size := wsconn.FrameSize(len(events[0].Payload))
	n := 1
	for ; n < len(events) && events[n].Group == events[0].Group; n++ {
		if size += wsconn.FrameSize(len(events[n].Payload)); size > chunkSize {
			break
		}
	}
	return n
}

func (h *Hub) deliverLocked(r *room, events []protocol.Event) {
	chunk, frames := encode(events)
	if frames < len(events) {
		// A text frame must be UTF-8 (RFC 6455 5.6). Workers refuse payloads that
		// are not, so this should not happen; if it does, the members are told.
		h.metrics.undeliverable.Add(float64(len(events) - frames))
		h.gapLocked(r)
	}
	if frames == 0 {
		return
	}
	accepted := 0
	for i := range r.members {
		c := r.members[i].conn
		if !c.out.Push(chunk) {
			continue
		}
		accepted++
		if !c.touched {
			c.touched = true
			h.touched = append(h.touched, c)
		}
	}
	h.metrics.deliveries.Add(float64(accepted * frames))
	h.metrics.bytes.Add(float64(accepted * len(chunk)))
}

// encode joins the frames of the events' payloads and returns how many there are.
// It leaves out payloads that are not valid UTF-8.
func encode(events []protocol.Event) (chunk []byte, frames int) {
	size := 0
	for i := range events {
		size += wsconn.FrameSize(len(events[i].Payload))
	}
	chunk = make([]byte, 0, size)
	for i := range events {
		if utf8.Valid(events[i].Payload) {
			chunk = wsconn.AppendText(chunk, events[i].Payload)
			frames++
		}
	}
	return chunk, frames
}
