package wsconn

// holdback buffers bytes that the library must not see yet: an incomplete control frame
// (at most 130 bytes) and what arrived together with its end. It is owned by the reading
// goroutine and holds no memory while it is empty.
type holdback struct {
	bytes []byte
	ready int // how many of bytes, from the front, may be read
}

func (h *holdback) empty() bool { return len(h.bytes) == 0 }

// add appends p. The last begun bytes of the buffer stay held back.
func (h *holdback) add(p []byte, begun int) {
	h.bytes = append(h.bytes, p...)
	h.ready = len(h.bytes) - begun
}

// read moves ready bytes to p and returns how many.
func (h *holdback) read(p []byte) int {
	n := copy(p, h.bytes[:h.ready])
	h.bytes, h.ready = h.bytes[n:], h.ready-n
	if len(h.bytes) == 0 {
		h.bytes = nil
	}
	return n
}
