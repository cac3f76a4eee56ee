package membus

import (
	"errors"
	"maps"
	"slices"

	"belfry/pkg/amqpbus"
)

// LogTap is a reader of a log: entries are pushed into it up to the prefetch, and
// TryReceive takes them out without waiting. All methods may be called concurrently.
type LogTap struct {
	core *Core
	log  *log
	wake func()

	// Guarded by core.mu.
	at     int64 // the offset that it gets next; LogNext: it is not attached yet
	miss   int   // entries that are written until it is attached
	hung   bool
	pushed []amqpbus.LogEntry
	err    error // why it ended
}

// LogTapOptions says what to read and from where.
type LogTapOptions struct {
	Log string
	At  int64 // an offset, or amqpbus.LogNext
	// Miss is how many entries are written after ReadLog until a reader at LogNext is
	// attached: it gets none of them.
	Miss int
	Hung bool // it brings nothing, for ever
	// Wake is as in TapOptions.
	Wake func()
}

// ReadLog adds a reader to a log. Its errors are ErrLogGone and ErrLogRefused.
func (c *Core) ReadLog(o LogTapOptions) (*LogTap, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.logLocked(o.Log)
	if err != nil {
		return nil, err
	}
	t := &LogTap{core: c, log: l, wake: o.Wake, at: max(o.At, amqpbus.LogNext), miss: o.Miss, hung: o.Hung}
	if t.at == amqpbus.LogNext && t.miss == 0 {
		t.at = l.next
	}
	l.taps = append(l.taps, t)
	t.push()
	return t, nil
}

// TryReceive takes out what was pushed, at most max, oldest first; nothing is no
// error. The error is why the reader ended; what was pushed before comes first.
func (t *LogTap) TryReceive(max int) ([]amqpbus.LogEntry, error) {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	if len(t.pushed) == 0 {
		return nil, t.err
	}
	n := min(max, len(t.pushed))
	out := t.pushed[:n:n]
	t.pushed = slices.Clone(t.pushed[n:])
	t.push()
	return out, nil
}

// End ends the reader. reason is what TryReceive returns from now on; the first one
// stays.
func (t *LogTap) End(reason error) {
	t.core.mu.Lock()
	defer t.core.mu.Unlock()
	t.endLocked(reason)
}

func (t *LogTap) endLocked(reason error) {
	if t.err != nil {
		return
	}
	t.err = reason
	if errors.Is(reason, amqpbus.ErrClosed) {
		t.pushed = nil
	}
	t.log.taps = slices.DeleteFunc(t.log.taps, func(o *LogTap) bool { return o == t })
	t.signal()
}

func (t *LogTap) signal() {
	if t.wake != nil {
		t.wake()
	}
}

// appended is called when an entry was written, in front of the offset next.
func (t *LogTap) appended(next int64) {
	if t.at == amqpbus.LogNext {
		if t.miss--; t.miss <= 0 {
			t.at = next
		}
		return
	}
	t.push()
}

// push fills the prefetch with what the log holds from t.at on. What it does not
// hold is passed over without a word, and one who stands beyond the end waits.
func (t *LogTap) push() {
	empty := len(t.pushed) == 0
	for t.err == nil && !t.hung && t.at >= 0 && len(t.pushed) < amqpbus.LogPrefetch {
		e, ok := t.log.from(t.at)
		if !ok {
			break
		}
		t.pushed = append(t.pushed, e.deliver())
		t.at = e.offset + 1
	}
	if empty && len(t.pushed) > 0 {
		t.signal()
	}
}

func (e entry) deliver() amqpbus.LogEntry {
	m := e.msg
	m.Headers = maps.Clone(m.Headers)
	return amqpbus.LogEntry{Offset: e.offset, Message: m, UserID: e.userID}
}
