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
	droppedFull   = "full"   // the reader does not read, and the buffer is full
	droppedFailed = "failed" // the write failed: the reader is gone, or the disk is full
)

// lineWriter is a zapcore.WriteSyncer that never waits for its reader. It buffers at most max
// bytes of lines, which one goroutine writes. Lines for which there is no room, or whose write
// fails, are dropped and counted; before the next line that can be written, notice's line says
// how many were dropped. Its methods may be called concurrently.
type lineWriter struct {
	out    io.Writer
	max    int
	notice func(lost uint64) []byte // one line with its line break

	full, failed prometheus.Counter

	wake  chan struct{} // capacity 1: signals that waiting or closed has changed
	ended chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	waiting []byte        // guarded by mu; whole lines
	lost    uint64        // guarded by mu; dropped lines that no notice has reported yet
	writing bool          // guarded by mu; the goroutine is writing lines
	closed  bool          // guarded by mu
	written chan struct{} // guarded by mu; if not nil, it is closed when all lines are written

	torn bool // owned by the goroutine; the last write ended inside a line
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

// Write adds one line to the buffer, or drops it. It never blocks and never fails.
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

// Sync waits until all lines are written, at most flushWithin.
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

// close flushes and ends the goroutine. If a write does not return in time, the goroutine is
// abandoned.
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
		lines, lost, end := w.swap(spare)
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

// swap returns the waiting lines and replaces their buffer by spare, which is empty.
func (w *lineWriter) swap(spare []byte) (lines []byte, lost uint64, end bool) {
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

// put writes lines, after a notice about those that were dropped before them. If the write fails,
// the lines count as dropped.
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
