package follow

import (
	"sort"
	"time"

	"belfry/pkg/eventlog"
)

// window keeps the last events that a log delivered, bounded by bytes and age. It
// is whole behind start.
type window struct {
	mostBytes int
	mostAge   time.Duration

	start  eventlog.Cursor
	events []kept
	bytes  int
	now    time.Duration
}

type kept struct {
	event *eventlog.Event
	at    time.Duration
}

func newWindow(o Options) window {
	return window{mostBytes: o.WindowBytes, mostAge: o.WindowAge, start: eventlog.NoCursor}
}

func (w *window) clear() { w.startAt(eventlog.NoCursor) }

func (w *window) startAt(c eventlog.Cursor) {
	w.start, w.events, w.bytes = c, nil, 0
}

func size(e *eventlog.Event) int { return len(e.Payload) + eventOverhead }

func (w *window) add(e *eventlog.Event) {
	w.events = append(w.events, kept{e, w.now})
	w.bytes += size(e)
	w.trim()
}

func (w *window) age(d time.Duration) {
	w.now += d
	w.trim()
}

// trim forgets whole entries: an event's cursor stands for all of its entry.
func (w *window) trim() {
	n := 0
	for n < len(w.events) && (w.bytes > w.mostBytes || w.now-w.events[n].at > w.mostAge) {
		offset := w.events[n].event.Offset
		for n < len(w.events) && w.events[n].event.Offset == offset {
			w.bytes -= size(w.events[n].event)
			w.start = eventlog.Cursor{Offset: offset, FP: w.events[n].event.FP}
			n++
		}
	}
	clear(w.events[:n])
	w.events = w.events[n:]
}

// proves reports whether the window shows that the entry at an offset has this
// fingerprint.
func (w *window) proves(offset int64, fp eventlog.Fingerprint) bool {
	if w.start == (eventlog.Cursor{Offset: offset, FP: fp}) {
		return true
	}
	i := sort.Search(len(w.events), func(i int) bool { return w.events[i].event.Offset >= offset })
	return i < len(w.events) && w.events[i].event.Offset == offset && w.events[i].event.FP == fp
}

// behind returns the events behind a position, in order.
func (w *window) behind(p eventlog.Position) []kept {
	i := sort.Search(len(w.events), func(i int) bool { return p.Before(w.events[i].event.Position()) })
	return w.events[i:]
}

// whole reports whether no event behind the place is missing.
func (w *window) whole(p eventlog.Position) bool {
	return !w.start.IsNone() && !p.Before(w.start.End())
}
