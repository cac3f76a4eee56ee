package daemon

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a line was dropped, the values of the label reason.
const (
	droppedFull   = "full"   // the reader stands still, and as much as may wait does
	droppedFailed = "failed" // the write failed: the reader has gone, or the disk is full
)

// lineWriter is a zapcore.WriteSyncer that never waits for its reader. What is
// written waits in memory, at most max bytes; one goroutine writes it out. Lines
// that find no room, or whose write fails, are dropped and counted, and notice's
// line says how many before the next one that can be written. Its methods may be
// called concurrently.
type lineWriter struct {
	out    io.Writer
	max    int
	notice func(lost uint64) []byte // one line with its line break

	full, failed prometheus.Counter

	wake  chan struct{} // capacity 1: something changed below
	ended chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	waiting []byte        // guarded by mu; whole lines
	lost    uint64        // guarded by mu; dropped lines that notice has not told of
	writing bool          // guarded by mu; the goroutine holds lines that waited
	closed  bool          // guarded by mu
	written chan struct{} // guarded by mu; not nil: closed when nothing waits

	torn bool // owned by the goroutine; the last write ended within a line
}

func newLineWriter(out io.Writer, most int, dropped *prometheus.CounterVec, notice func(uint64) []byte) *lineWriter {
	w := &lineWriter{
		out: out, max: most, notice: notice,
		full: dropped.WithLabelValues(droppedFull), failed: dropped.WithLabelValues(droppedFailed),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go w.run()
	return w
}

// Write takes one line. It never blocks and never fails.
func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	if w.closed || len(w.waiting)+len(line) > w.max {
		w.lost++
		w.full.Inc()
	} else {
		w.waiting = append(w.waiting, line...)
	}
	w.mu.Unlock()
	w.stir()
	return len(line), nil
}

func (w *lineWriter) stir() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Sync waits until everything was handed to the reader, at most flushWithin.
func (w *lineWriter) Sync() error {
	w.flush(flushWithin)
	return nil
}

// flush reports whether everything was written within the time.
func (w *lineWriter) flush(within time.Duration) bool {
	w.mu.Lock()
	if len(w.waiting) == 0 && !w.writing {
		w.mu.Unlock()
		return true
	}
	if w.written == nil {
		w.written = make(chan struct{})
	}
	written := w.written
	w.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-written:
		return true
	case <-timer.C:
		return false
	}
}

// close flushes and ends the goroutine, or leaves it behind when its write has
// not returned by then.
func (w *lineWriter) close(within time.Duration) {
	flushed := w.flush(within)
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stir()
	if flushed {
		<-w.ended
	}
}

func (w *lineWriter) run() {
	defer close(w.ended)
	var spare []byte
	for {
		lines, lost, end := w.take(spare)
		if end {
			return
		}
		if len(lines) == 0 {
			<-w.wake
			continue
		}
		w.put(lines, lost)
		spare = lines[:0]
	}
}

// take swaps what waits for an empty buffer.
func (w *lineWriter) take(spare []byte) (lines []byte, lost uint64, end bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = false
	if len(w.waiting) == 0 {
		if w.written != nil {
			close(w.written)
			w.written = nil
		}
		return spare, 0, w.closed
	}
	lines, w.waiting = w.waiting, spare
	lost, w.lost = w.lost, 0
	w.writing = true
	return lines, lost, false
}

// put writes lines, behind the notice of those that were lost before them. What
// fails is lost, and told of the next time.
func (w *lineWriter) put(lines []byte, lost uint64) {
	var text []byte
	if w.torn {
		text = append(text, '\n')
	}
	if lost > 0 {
		text = append(text, w.notice(lost)...)
	}
	head := len(text)
	text = append(text, lines...)
	n, err := w.out.Write(text)
	if err == nil {
		w.torn = false
		return
	}
	if n > 0 {
		w.torn = text[n-1] != '\n'
	}
	if n >= head {
		lost = 0
	}
	missing := uint64(bytes.Count(lines[max(0, n-head):], []byte("\n")))
	w.failed.Add(float64(missing))
	w.mu.Lock()
	w.lost += lost + missing
	w.mu.Unlock()
}
