package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
)

// LookBack is the number of entries in front of one, skipped or not, among which a
// copy makes it a duplicate. A reader that wants to decide as all others do starts
// as many entries before the first that it needs.
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

// Duplicates remembers the last entries that a reader has read. The zero value
// looks back LookBack entries. It is not for concurrent use.
type Duplicates struct {
	Size  int // entries; 0: LookBack
	ring  []identity
	next  int
	count map[identity]int
}

// Seen remembers the entry and reports whether it is a copy of one of the Size
// entries before it. What it says depends on the log alone, if the reader began
// Size entries before.
func (d *Duplicates) Seen(e *Entry) bool {
	var id identity // of an entry without message id: stands in the ring, matches nothing
	if e.ID != "" {
		id = e.identity()
	}
	if d.count == nil {
		if d.Size == 0 {
			d.Size = LookBack
		}
		d.count = map[identity]int{}
	}
	copied := e.ID != "" && d.count[id] > 0
	if len(d.ring) < d.Size {
		d.ring = append(d.ring, id)
	} else {
		old := d.ring[d.next]
		if d.count[old]--; d.count[old] <= 0 {
			delete(d.count, old)
		}
		d.ring[d.next] = id
		d.next = (d.next + 1) % d.Size
	}
	if e.ID != "" {
		d.count[id]++
	}
	return copied
}
