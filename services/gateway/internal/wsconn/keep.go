package wsconn

// keep holds what the library may not see yet: the beginning of a control frame,
// at most 130 bytes, and what was read together with its end. It is owned by the
// reading goroutine and holds no memory while it is empty.
type keep struct {
	bytes []byte
	ready int // of bytes: what may be taken
}

func (k *keep) empty() bool { return len(k.bytes) == 0 }

// add appends p; the last begun bytes of everything are to stay.
func (k *keep) add(p []byte, begun int) {
	k.bytes = append(k.bytes, p...)
	k.ready = len(k.bytes) - begun
}

// take moves what is ready to p, as far as it fits.
func (k *keep) take(p []byte) int {
	n := copy(p, k.bytes[:k.ready])
	k.bytes, k.ready = k.bytes[n:], k.ready-n
	if len(k.bytes) == 0 {
		k.bytes = nil
	}
	return n
}
