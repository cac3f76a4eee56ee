package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
)

// LookBack is how many offsets in front of an entry a copy may stand and make it a
// duplicate. It counts offsets, not entries: the broker takes some for itself, and a
// reader that starts as many offsets before the first entry that it needs decides
// as all others do.
const LookBack = 16_384

// Entry is one message of a log, as a reader gets it.
type Entry struct {
	Offset    int64
	Exchange  string
	Key       string // routing key
	Type      string
	ID        string // message id; empty: it is never a duplicate
	Timestamp int64  // the property; 0: none
	Group     string // the header `group`
	Trace     string // the header `traceparent`
	Body      []byte
	// Refused is why nobody may be sent the event, by what its entry alone says; empty:
	// nothing speaks against it. Whoever reads the log sets it.
	Refused string
}

// identity is what two copies of an entry share.
type identity [16]byte

func (e *Entry) identity() identity {
	h := sha256.New()
	for _, part := range []string{e.Exchange, e.Key, e.ID} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(e.Timestamp))
	h.Write(stamp[:])
	h.Write(e.Body)
	return identity(h.Sum(nil)[:16])
}

// Duplicates remembers what a reader has read lately. The zero value looks back
// LookBack offsets. It is not for concurrent use.
type Duplicates struct {
	Size  int64 // offsets; 0: LookBack
	ring  []remembered
	first int // the oldest of the ring
	last  map[identity]int64
}

// remembered is an entry with a message id, by its place in the log.
type remembered struct {
	offset int64
	id     identity
}

// Seen remembers the entry, whose offset is behind that of the one before, and
// reports whether a copy of it stands at most Size offsets before it. What it says
// depends on the log alone, if the reader began Size offsets before.
func (d *Duplicates) Seen(e *Entry) bool {
	if d.last == nil {
		d.last = map[identity]int64{}
		if d.Size == 0 {
			d.Size = LookBack
		}
	}
	d.forget(e.Offset - d.Size)
	if e.ID == "" {
		return false
	}
	id := e.identity()
	_, copied := d.last[id]
	d.last[id] = e.Offset
	d.ring = append(d.ring, remembered{e.Offset, id})
	return copied
}

// forget drops what stands before an offset.
func (d *Duplicates) forget(before int64) {
	for d.first < len(d.ring) && d.ring[d.first].offset < before {
		old := d.ring[d.first]
		if d.last[old.id] == old.offset { // no later copy needs it
			delete(d.last, old.id)
		}
		d.first++
	}
	if d.first > len(d.ring)/2 {
		d.ring = append(d.ring[:0], d.ring[d.first:]...)
		d.first = 0
	}
}
