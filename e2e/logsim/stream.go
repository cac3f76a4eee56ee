package logsim

import (
	"sort"
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
	entries []entry          // in order of offset, those that retention has thrown away in front
	held    int              // index of the first that was not
	last    map[string]int64 // offset of the last entry with an id
	next    int64            // offset
	count   int              // entries in the last segment
	broken  bool             // it has lost something that somebody may have read
	readers map[readerKey]*cursorReader
	order   []readerKey // for replay
}

// entry is one of the log.
type entry struct {
	eventlog.Entry
	groups []string // of its events
	copyOf int64    // where the last copy in front of it stands; -1: nowhere
}

// index is the place of one of its events.
func (e *entry) index(i int) int {
	if e.Type == eventlog.PackType {
		return i
	}
	return eventlog.LastIndex
}

// says reports whether an event that was delivered is one of this entry.
func (e *entry) says(x *eventlog.Event) bool {
	i, payload := 0, e.ID
	if e.Type == eventlog.PackType {
		i, payload = x.Index, packed(e.ID, x.Index)
	}
	return x.Index == e.index(i) && i < len(e.groups) && e.groups[i] == string(x.Group) && payload == string(x.Payload)
}

func groupsOf(e *eventlog.Entry) (groups []string) {
	switch e.Type {
	case lead.MarkType:
	case eventlog.PackType:
		all, err := eventlog.Unpack(e.Body)
		if err != nil {
			panic(err) // the simulation made it
		}
		for i := range all {
			groups = append(groups, string(all[i].Group))
		}
	default:
		groups = []string{e.Key}
	}
	return groups
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
	copyOf, copied := s.last[e.ID]
	if !copied || copyOf < e.Offset-lookBack {
		copyOf = -1
	}
	s.last[e.ID] = e.Offset
	s.entries = append(s.entries, entry{e, groupsOf(&e), copyOf})
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
	i := max(s.search(r.at), s.held)
	if i == len(s.entries) {
		return
	}
	e := s.entries[i].Entry
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

// search finds the first entry at an offset or behind it.
func (s *stream) search(at int64) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].Offset >= at })
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

// truncate throws whole segments away, as retention does: all but the last at most.
func (s *stream) truncate() {
	s.held += max(len(s.entries)-s.held-segment, 0) * s.w.r.IntN(101) / 100 / segment * segment
	s.broken = true
}

// loseEnd imitates a power cut: the last entries are gone and their offsets are used
// again. Readers end, and who reads on learns it from nobody.
func (s *stream) loseEnd() {
	n := min(1+s.w.r.IntN(5), len(s.entries)-s.held)
	s.entries = s.entries[:len(s.entries)-n]
	s.next = 0
	clear(s.last)
	for _, e := range s.entries {
		s.last[e.ID] = e.Offset
		s.next = e.Offset + 1
	}
	s.broken = true
	s.loseAll()
}

// recreate deletes the log and declares it again.
func (s *stream) recreate() {
	s.entries, s.held, s.next, s.count = nil, 0, 0, 0
	clear(s.last)
	s.broken = true
	s.loseAll()
}

// verdict is what the log alone says of an entry.
type verdict int

const (
	original verdict = iota // whoever is there gets it
	copied                  // nobody does
	either                  // what it is a copy of is not held: who had read that skips it, others cannot know
	mark
)

func (s *stream) judge(e *entry) verdict {
	switch {
	case e.Type == lead.MarkType:
		return mark
	case e.copyOf < 0:
		return original
	case s.held < len(s.entries) && e.copyOf >= s.entries[s.held].Offset:
		return copied
	default:
		return either
	}
}

// at is the entry at an offset; nil: there is none.
func (s *stream) at(offset int64) *entry {
	if i := s.search(offset); i < len(s.entries) && s.entries[i].Offset == offset {
		return &s.entries[i]
	}
	return nil
}

// holds reports whether an entry is in the log, and is the same.
func (s *stream) holds(c eventlog.Cursor) bool {
	i := s.search(c.Offset)
	if c.IsNone() || i < s.held || i == len(s.entries) || s.entries[i].Offset != c.Offset {
		return false
	}
	e := &s.entries[i]
	return eventlog.Key(nil).Fingerprint(e.Offset, e.ID, e.Body) == c.FP
}

// owed finds the first event of a group behind one place and before another that
// whoever is there must get; nil: there is none.
func (s *stream) owed(group string, behind, before eventlog.Position) *entry {
	for i := s.search(behind.Offset); i < len(s.entries) && s.entries[i].Offset <= before.Offset; i++ {
		e := &s.entries[i]
		if s.judge(e) != original {
			continue
		}
		for j := range e.groups {
			at := eventlog.Position{Offset: e.Offset, Index: e.index(j)}
			if e.groups[j] == group && behind.Before(at) && at.Before(before) {
				return e
			}
		}
	}
	return nil
}
