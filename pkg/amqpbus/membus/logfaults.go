package membus

import (
	"fmt"

	"belfry/pkg/amqpbus"
)

// LogFate is what a test wants to happen to the opening of a log reader.
type LogFate int

// The fates.
const (
	LogServed     LogFate = iota
	LogGone               // ErrLogGone, as while a cluster fails over
	LogRefused            // ErrLogRefused
	LogUnanswered         // ErrLogUnanswered, after LogStepWithin
	LogHangs              // it is opened, and brings nothing for ever
	LogAttachLate         // one at LogNext misses the first entry that is written
)

// SetLogHook asks hook about each reader that is to be opened; nil serves all. It is
// called from the goroutines that open readers and must not call the broker.
func (b *Broker) SetLogHook(hook func(user string, o amqpbus.LogReaderOptions) LogFate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logHook = hook
}

func (b *Broker) logFate(user string, o amqpbus.LogReaderOptions) LogFate {
	b.mu.Lock()
	hook := b.logHook
	b.mu.Unlock()
	if hook == nil {
		return LogServed
	}
	return hook(user, o)
}

// CutReading cuts the links of the log readers of one bus alone.
func (b *Broker) CutReading(bus amqpbus.Bus) { b.own(bus).cutReading(amqpbus.ErrLinkLost) }

func (b *Bus) cutReading(reason error) {
	b.mu.Lock()
	readers := b.readers
	b.readers = map[*logReader]struct{}{}
	b.mu.Unlock()
	for r := range readers {
		r.tap.End(reason)
	}
}

// EndReaders ends all readers of a log, as the broker does; a nil reason lets them
// hang instead: they bring nothing more, and nobody is told.
func (c *Core) EndReaders(name string, reason error) {
	c.change(name, func(l *log) {
		for len(l.taps) > 0 && reason != nil {
			l.taps[0].endLocked(reason)
		}
		for _, t := range l.taps {
			t.hung = true
		}
	})
}

// HideLog takes all routes to a log away, or gives them back, as while a node
// starts: a publish is dropped, and confirmed unless it is mandatory.
func (c *Core) HideLog(name string, hidden bool) {
	c.change(name, func(l *log) { l.away = hidden })
}

// TruncateLog throws a number of the oldest segments away, as retention does; never
// the newest.
func (c *Core) TruncateLog(name string, segments int) {
	c.change(name, func(l *log) { l.truncate(segments) })
}

// LoseLogEnd takes the last entries away, as a power cut does. Their offsets are
// used again, and no reader is told; a broker that had a power cut also cuts links
// (Broker.Down).
func (c *Core) LoseLogEnd(name string, entries int) {
	c.change(name, func(l *log) {
		for entries > 0 {
			last := len(l.segments) - 1
			n := len(l.segments[last])
			if n == 0 && last == 0 {
				return
			}
			if n == 0 { // with the chunk that began it
				l.segments, l.sizes, l.next = l.segments[:last], l.sizes[:last], l.next-1
				continue
			}
			entries--
			lost := l.segments[last][n-1]
			l.next = lost.offset
			l.segments[last] = l.segments[last][:n-1]
			l.sizes[last] -= int64(len(lost.msg.Body)) + entryOverhead
		}
	})
}

// LoseLogMiddle takes the entries of a range of offsets away, both included, and
// leaves a hole.
func (c *Core) LoseLogMiddle(name string, first, last int64) {
	c.change(name, func(l *log) {
		for i, segment := range l.segments {
			var kept []entry
			for _, e := range segment {
				if e.offset < first || e.offset > last {
					kept = append(kept, e)
				}
			}
			l.segments[i] = kept
		}
	})
}

// WithoutStreams lets the broker be one that keeps no logs: to declare one is
// ErrNoStreams.
func (c *Core) WithoutStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noStreams = true
}

// change does something to a log that must exist.
func (c *Core) change(name string, do func(*log)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.logLocked(name)
	if err != nil {
		panic(fmt.Sprintf("membus: %v", err))
	}
	do(l)
}
