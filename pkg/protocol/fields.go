package protocol

import "encoding/binary"

// Binary bodies consist of unsigned varints and length-prefixed strings.

func appendBytes(out []byte, s string) []byte {
	out = binary.AppendUvarint(out, uint64(len(s)))
	return append(out, s...)
}

// fieldReader reads fields from the front of rest. After the first error bad is set, and
// every further read returns a zero value.
type fieldReader struct {
	rest []byte
	bad  bool
}

func (r *fieldReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *fieldReader) bounded(most uint64) uint64 {
	v := r.uvarint()
	if v > most {
		r.bad = true
		return 0
	}
	return v
}

func (r *fieldReader) bytes() []byte {
	n := r.bounded(uint64(len(r.rest)))
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}
