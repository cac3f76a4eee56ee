package logsim

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/services/worker/lead"
)

// segment is the number of entries after which a segment ends. Each begins with an
// internal chunk, which takes an offset; only whole segments are thrown away.
const segment = 7

// stream is the log as the broker keeps it.
type stream struct {
	w       *world
	number  int
	entries []eventlog.Entry // held, in order of offset
	gone    []eventlog.Entry // thrown away by retention, in front of these
	next    int64            // offset
	count   int              // entries in the last segment
	readers map[readerKey]*cursorReader
	order   []readerKey // for replay
}

type readerKey struct {
	node   string
	filler bool
	number int
}

// cursorReader is a consumer of the stream. at is the next offset that it gets.
type cursorReader struct {
	key  readerKey
	at   int64
	take func(*eventlog.Entry)
	end  func()
	busy bool
	hung bool // it brings nothing more, and says nothing
}

func (s *stream) append(e eventlog.Entry) {
	if s.count == segment {
		s.count = 0
		s.next++
	}
	s.count++
	e.Offset = s.next
	s.next++
	s.entries = append(s.entries, e)
	for _, key := range s.order {
		s.serve(s.readers[key])
	}
}

// open attaches a reader a little later: the first entries after it was asked for may
// be missed at Next, and one behind the end waits without a word.
func (s *stream) open(key readerKey, at int64, take func(*eventlog.Entry), end func()) {
	r := &cursorReader{key: key, at: at, take: take, end: end}
	s.readers[key] = r
	s.order = append(s.order, key)
	r.busy = true
	s.w.after(s.w.within(20*time.Millisecond), func() {
		r.busy = false
		if s.w.down {
			s.lose(r)
			return
		}
		if r.at == lead.Next {
			r.at = s.next
		}
		if !s.w.calm && s.w.one(40) {
			r.hung = true
		}
		s.serve(r)
	})
}

// serve brings a reader its next entry.
func (s *stream) serve(r *cursorReader) {
	if r == nil || r.busy || r.hung || s.readers[r.key] != r || r.at == lead.Next {
		return
	}
	i := s.search(r.at)
	if i == len(s.entries) {
		return
	}
	e := s.entries[i]
	r.busy = true
	s.w.after(s.w.within(2*time.Millisecond), func() {
		r.busy = false
		if s.readers[r.key] != r {
			return
		}
		r.at = e.Offset + 1
		r.take(&e)
		s.serve(r)
	})
}

func (s *stream) search(at int64) int {
	for i := range s.entries {
		if s.entries[i].Offset >= at {
			return i
		}
	}
	return len(s.entries)
}

func (s *stream) close(key readerKey) {
	delete(s.readers, key)
	for i, k := range s.order {
		if k == key {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			return
		}
	}
}

// lose ends a reader from the broker's side.
func (s *stream) lose(r *cursorReader) {
	if s.readers[r.key] == r {
		s.close(r.key)
		s.w.after(s.w.within(20*time.Millisecond), r.end)
	}
}

func (s *stream) loseAll() {
	for _, key := range append([]readerKey(nil), s.order...) {
		s.lose(s.readers[key])
	}
}

// truncate throws whole segments away, as retention does.
func (s *stream) truncate() {
	n := len(s.entries) * s.w.r.IntN(80) / 100 / segment * segment
	s.gone = append(s.gone, s.entries[:n]...)
	s.entries = append([]eventlog.Entry(nil), s.entries[n:]...)
}

// loseEnd imitates a power cut: the last entries are gone and their offsets are used
// again. Readers end, and who reads on learns it from nobody.
func (s *stream) loseEnd() {
	n := min(1+s.w.r.IntN(5), len(s.entries))
	s.entries = s.entries[:len(s.entries)-n]
	if len(s.entries) > 0 {
		s.next = s.entries[len(s.entries)-1].Offset + 1
	} else {
		s.next = 0
	}
	s.count = min(s.count, segment)
	s.loseAll()
}

// recreate deletes the log and declares it again.
func (s *stream) recreate() {
	s.entries, s.gone, s.next, s.count = nil, nil, 0, 0
	s.loseAll()
}

// truth lists the entries that a member must get: each by the log alone, copies left
// out. What retention has thrown away was owed, too, to who was there.
func (s *stream) truth() []eventlog.Entry {
	d := eventlog.Duplicates{Size: lookBack}
	var all []eventlog.Entry
	for _, e := range slices.Concat(s.gone, s.entries) {
		if !d.Seen(&e) && e.Type != lead.MarkType {
			all = append(all, e)
		}
	}
	return all
}
