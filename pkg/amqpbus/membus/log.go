package membus

import (
	"fmt"
	"slices"
	"time"

	"belfry/pkg/amqpbus"
)

// entryOverhead is what an entry takes on a broker's disk beside its body, in bytes.
const entryOverhead = 133

// LogShape is how the logs of a Core keep what they hold. The zero value of each is
// what amqpbus declares.
type LogShape struct {
	SegmentBytes   int64         // a segment that is longer is full
	SegmentEntries int           // or one of so many entries; 0: any number
	MaxBytes       int64         // of the log
	MaxAge         time.Duration // of an entry
}

// log is a queue's entries, when it is a stream. Guarded by Core.mu.
type log struct {
	segments [][]entry // never empty; the last one is written to
	sizes    []int64   // bytes of each
	next     int64     // offset
	taps     []*LogTap // in order of opening
	away     bool      // there is no route to it, see HideLog
}

// entry is a message's place in a log.
type entry struct {
	*stored
	offset int64
	at     time.Time
}

func newLog() *log { return &log{segments: make([][]entry, 1), sizes: make([]int64, 1)} }

// ShapeLogs says how all logs keep what they hold from now on, so that a test meets
// their segments and their retention with a handful of entries.
func (c *Core) ShapeLogs(s LogShape) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shape = s
}

func (s LogShape) complete() LogShape {
	if s.SegmentBytes == 0 {
		s.SegmentBytes = amqpbus.LogMaxSegment
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = amqpbus.LogMaxBytes
	}
	if s.MaxAge == 0 {
		s.MaxAge = amqpbus.LogMaxAge
	}
	return s
}

// append adds an entry and lets the readers have it. The segment that it fills up is
// followed by another at once.
func (l *log) append(s *stored, shape LogShape, now time.Time) {
	last := len(l.segments) - 1
	e := entry{stored: s, offset: l.next, at: now}
	l.next++
	l.segments[last] = append(l.segments[last], e)
	l.sizes[last] += int64(len(s.msg.Body)) + entryOverhead
	for _, t := range l.taps {
		t.appended(l.next)
	}
	if l.sizes[last] > shape.SegmentBytes || shape.SegmentEntries > 0 && len(l.segments[last]) >= shape.SegmentEntries {
		l.roll(shape, now)
	}
}

// roll begins a segment, with the internal chunk that takes an offset, and throws
// the oldest ones away: only now, whole ones only, and never the newest, which is
// empty: retention may leave a log that brings nothing until something is written.
func (l *log) roll(shape LogShape, now time.Time) {
	l.segments, l.sizes = append(l.segments, nil), append(l.sizes, 0)
	l.next++
	var bytes int64
	for _, size := range l.sizes {
		bytes += size
	}
	for len(l.segments) > 1 {
		oldest := l.segments[0]
		young := len(oldest) > 0 && now.Sub(oldest[len(oldest)-1].at) <= shape.MaxAge
		if bytes <= shape.MaxBytes && young {
			break
		}
		bytes -= l.sizes[0]
		l.truncate(1)
	}
}

// truncate throws the oldest segments away.
func (l *log) truncate(segments int) {
	segments = min(segments, len(l.segments)-1)
	l.segments, l.sizes = l.segments[segments:], l.sizes[segments:]
}

// from is the first entry that is held at or behind an offset.
func (l *log) from(offset int64) (entry, bool) {
	for _, segment := range l.segments {
		if n := len(segment); n == 0 || segment[n-1].offset < offset {
			continue
		}
		i, _ := slices.BinarySearchFunc(segment, offset, func(e entry, offset int64) int {
			return int(e.offset - offset)
		})
		return segment[i], true
	}
	return entry{}, false
}

// logLocked finds a log.
func (c *Core) logLocked(name string) (*log, error) {
	q := c.queueLocked(name)
	switch {
	case q == nil:
		return nil, fmt.Errorf("read log %s: %w", name, amqpbus.ErrLogGone)
	case q.log == nil:
		return nil, fmt.Errorf("read log %s: %w: it is a queue of another kind", name, amqpbus.ErrLogRefused)
	}
	return q.log, nil
}

// LogEntries are the entries that a log holds, the oldest first; nothing when there
// is no such log.
func (c *Core) LogEntries(name string) []amqpbus.LogEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.logLocked(name)
	if err != nil {
		return nil
	}
	var all []amqpbus.LogEntry
	for _, segment := range l.segments {
		for _, e := range segment {
			all = append(all, e.deliver())
		}
	}
	return all
}
