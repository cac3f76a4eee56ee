package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// reader is what stands behind standard error: it may stand still, fail, and
// take a part of a write.
type reader struct {
	mu    sync.Mutex
	still chan struct{} // not nil: writes wait for it
	fails error
	part  int // bytes that a failing write takes all the same
	got   bytes.Buffer
}

func (r *reader) set(still chan struct{}, fails error, part int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.still, r.fails, r.part = still, fails, part
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	still := r.still
	r.mu.Unlock()
	if still != nil {
		<-still
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		n, _ := r.got.Write(p[:min(r.part, len(p))])
		return n, r.fails
	}
	return r.got.Write(p)
}

func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSuffix(r.got.String(), "\n"), "\n")
}

func openTo(t *testing.T, out io.Writer, most int) *Log {
	t.Helper()
	l, err := newLog(out, most, "debug", "json")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// droppedLines are the values of the metric.
func droppedLines(t *testing.T, l *Log) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.Dropped())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, m := range families[0].Metric {
		out[m.Label[0].GetValue()] = m.GetCounter().GetValue()
	}
	return out
}

func TestEveryLineIsWrittenInOrder(t *testing.T) {
	var r reader
	l := openTo(t, &r, maxWaiting)
	for i := range 1000 {
		l.Logger.Info("line", zap.Int("i", i))
	}
	l.Close()
	lines := r.lines()
	if len(lines) != 1000 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var got struct{ I int }
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.I != i {
			t.Fatalf("line %d: %s, %v", i, line, err)
		}
	}
	if dropped := droppedLines(t, l); dropped["full"] != 0 || dropped["failed"] != 0 || len(dropped) != 2 {
		t.Errorf("dropped %v", dropped)
	}
}

// TestStoppedReaderDoesNotBlock: what finds no room is counted, and
// told of when the reader goes on.
func TestStoppedReaderDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reader{still: make(chan struct{})}
		l := openTo(t, &r, 1000)
		for range 100 { // each some 60 bytes; would wait for ever
			l.Logger.Info("a line of the test")
		}
		dropped := droppedLines(t, l)["full"]
		if dropped < 50 || dropped > 95 {
			t.Errorf("dropped %v", dropped)
		}
		began := time.Now()
		if err := l.Logger.Sync(); err != nil || time.Since(began) != flushWithin {
			t.Errorf("Sync: %v after %v", err, time.Since(began))
		}
		close(r.still)
		synctest.Wait()
		l.Logger.Info("again")
		l.Close()
		told := 0.0
		for _, line := range r.lines() {
			var got struct{ Lines float64 }
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			told += got.Lines
		}
		if told != dropped {
			t.Errorf("%v lines were dropped, the log says %v", dropped, told)
		}
		if last := r.lines(); !strings.Contains(last[len(last)-1], "again") {
			t.Errorf("the last line is %s", last[len(last)-1])
		}
	})
}

// TestCloseLeavesAWriteBehind: a program that ends waits for its log's reader
// for a second.
func TestCloseLeavesAWriteBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reader{still: make(chan struct{})}
		l := openTo(t, &r, maxWaiting)
		l.Logger.Info("nobody reads this")
		began := time.Now()
		l.Close()
		if took := time.Since(began); took != flushWithin {
			t.Errorf("took %v", took)
		}
		l.Logger.Info("after the end") // no panic, no wait
		close(r.still)
	})
}

// TestWritesThatFailAreCounted: the disk is full, or the reader was away. A line
// that was torn ends where it was torn.
func TestWritesThatFailAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reader
		l := openTo(t, &r, maxWaiting)
		l.Logger.Info("before")
		synctest.Wait()
		r.set(nil, syscall.ENOSPC, 10)
		l.Logger.Info("torn")
		synctest.Wait()
		r.set(nil, syscall.ENOSPC, 0)
		l.Logger.Info("lost")
		synctest.Wait()
		r.set(nil, nil, 0)
		l.Logger.Info("after")
		l.Close()
		lines := r.lines()
		if len(lines) != 4 || !strings.Contains(lines[0], "before") || len(lines[1]) != 10 || !strings.Contains(lines[2], `"lines":2`) || !strings.Contains(lines[3], "after") {
			t.Errorf("lines %q", lines)
		}
		if got := droppedLines(t, l)["failed"]; got != 2 {
			t.Errorf("failed %v", got)
		}
	})
}

// TestClosedPipe is what `2>&1 | head -1` leaves.
func TestClosedPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	l := openTo(t, out, maxWaiting)
	_ = in.Close()
	for range 10 {
		l.Logger.Info("nobody is there")
		if err := l.Logger.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	if got := droppedLines(t, l)["failed"]; got != 10 {
		t.Errorf("failed %v", got)
	}
	if _, err := out.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the pipe was not closed: %v", err)
	}
}

func TestOpenLog(t *testing.T) {
	for _, c := range []struct {
		level, format string
		ok            bool
	}{{"info", "json", true}, {"debug", "console", true}, {"loud", "json", false}, {"info", "xml", false}} {
		l, err := OpenLog(c.level, c.format)
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.level, c.format, err)
		}
		if err == nil {
			l.Close()
		}
	}
}
