package logmodel

// model is the rules, with at most one error in them.
type model struct {
	planted plant
	list    bool // next only lists what may be possible
	only    int  // next does only the step of this number; none: all
}

func (s *state) fp(offset int8) int8 { return s.entries[s.log[offset]].content }

func (s *state) cursorAt(offset int8) cursor { return cursor{offset, s.fp(offset)} }

// holds reports whether the log has this very entry still.
func (s *state) holds(c cursor) bool {
	return c.offset >= s.first && c.offset < s.end && s.fp(c.offset) == c.fp
}

// holds is what a reader finds out about that.
func (m *model) holds(s *state, c cursor) bool {
	return s.holds(c) || m.planted == noFingerprint && c.offset >= s.first && c.offset < s.end
}

// write puts an entry at the end of the log: of a group or a mark, new or again.
func (s *state) write(group, content int8) bool {
	if s.written >= mostEver || !s.calm && s.written >= s.room {
		return false
	}
	number := s.written
	if content < 0 {
		content = number
	}
	e := entry{group: group, content: content, offset: s.end}
	for at := max(0, s.end-lookBack); at < s.end; at++ {
		if group >= 0 && s.fp(at) == content {
			e.copied = true
		}
	}
	s.entries[number] = e
	s.log[s.end] = number
	s.written++
	s.end++
	return true
}

// copied is what a reader decides that began to look for copies at an offset.
func (s *state) copied(offset, looksFrom int8) bool {
	for at := max(s.first, offset-lookBack, looksFrom); at < offset; at++ {
		if s.fp(at) == s.fp(offset) {
			return true
		}
	}
	return false
}

// looks is where a reader begins that needs what is behind an entry.
func (m *model) looks(behind int8) int8 {
	if m.planted == copiesFromHere {
		return behind + 1
	}
	return max(0, behind-lookBack)
}

// lose takes the last entries away; their offsets are used again.
func (s *state) lose(count int8) {
	for at := s.end - count; at < s.end; at++ {
		s.entries[s.log[at]].lost = true
		s.log[at] = 0
	}
	s.end -= count
	s.version++
	s.broken = true
}

// behind is the number of the first entry behind what a gateway covers: from there on
// everything is owed.
func (s *state) behind(c cursor) int8 {
	if c.offset < 0 || c.offset >= s.end || s.fp(c.offset) != c.fp {
		return s.written // of another log: a reset will come
	}
	return s.log[c.offset] + 1
}
