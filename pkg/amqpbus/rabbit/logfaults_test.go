package rabbit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestALogSurvivesAKilledBroker: what was confirmed is there, at the same offsets.
// The broker is stopped in order first: one that is killed within moments of its
// very first log has forgotten who serves logs, and serves that one never again.
func TestALogSurvivesAKilledBroker(t *testing.T) {
	n := brokertest.Start(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	n.Stop()
	if err := n.StartAgain(ctx); err != nil {
		t.Fatal(err)
	}
	write(t, b, "log", numbers(0, 999)...)
	r := openReader(t, b, "log", 0)
	before := read(t, r, 1000)
	n.Kill9()
	if _, err := endOf(t, r); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("the reader ended with %v", err)
	}
	if _, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"}); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("a reader without a broker: %v", err)
	}
	if err := n.StartAgain(ctx); err != nil {
		t.Fatal(err)
	}
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected })
	var again *logReader
	for pause := (amqpbus.Backoff{}); ctx.Err() == nil; pause.Wait(ctx) {
		got, err := b.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: "log", At: before[500].Offset})
		if err == nil {
			again = got.(*logReader)
			break
		}
		t.Logf("the log is not served yet: %v", err)
	}
	if again == nil {
		t.Fatal("the log is not served any more")
	}
	defer func() { _ = again.Close() }()
	for i, e := range read(t, again, 500) {
		if e.Offset != before[500+i].Offset || string(e.Body) != fmt.Sprint(500+i) {
			t.Fatalf("at %d stands %d, %q", before[500+i].Offset, e.Offset, e.Body)
		}
	}
	write(t, b, "log", "goes on")
	if e := read(t, again, 1)[0]; string(e.Body) != "goes on" || e.Offset <= before[999].Offset {
		t.Errorf("then comes %d, %q", e.Offset, e.Body)
	}
}

// TestReadingUnderAnAlarm: readers never publish, so no alarm blocks them.
func TestReadingUnderAnAlarm(t *testing.T) {
	n := brokertest.Start(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	write(t, b, "log", numbers(1, 1000)...)
	open := openReader(t, b, "log", 0)
	read(t, open, 1)
	if _, err := n.Ctl("set_vm_memory_high_watermark", "absolute", "1MB"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := n.Ctl("set_vm_memory_high_watermark", "0.4"); err != nil {
			t.Error(err)
		}
	}()
	read(t, open, 999)
	read(t, openReader(t, b, "log", 0), 1000)
}

// TestRetentionOvertakesAReader takes away what a reader has yet to read. It must
// not stand still: it ends, or goes on behind the hole, and what comes is in order.
func TestRetentionOvertakesAReader(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	const entries = 1000
	var bodies []string
	for i := range entries {
		bodies = append(bodies, fmt.Sprintf("%d %s", i, strings.Repeat("x", 32<<10)))
	}
	write(t, b, "log", bodies...) // some 30 segments
	r := openReader(t, b, "log", 0)
	read(t, r, 1) // the broker has sent 256, and some more on 3.10
	if err := n.Node.SetPolicy(n.Name, "short", "log", map[string]any{"max-length-bytes": 2 << 20}); err != nil {
		t.Fatal(err)
	}
	write(t, b, "log", "the last") // the newest segment may hold nothing else
	first := int64(-1)
	eventually(t, "the policy takes something away", func() bool {
		first = firstHeld(t, b, "log")
		return first > 0
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last, step := int64(0), int64(0)
	for ctx.Err() == nil {
		got, err := r.Receive(ctx, 1000)
		if err != nil {
			t.Logf("first held %d: the reader ended behind %d: %v", first, last, err)
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the reader stands still behind %d", last)
			}
			return
		}
		for _, e := range got {
			if e.Offset <= last {
				t.Fatalf("%d comes behind %d", e.Offset, last)
			}
			last, step = e.Offset, max(step, e.Offset-last)
		}
		if string(got[len(got)-1].Body) == "the last" {
			t.Logf("first held %d: the reader reached the end, its largest step was %d", first, step)
			return
		}
	}
}

// firstHeld is the offset with which a reader of the oldest entry begins; -1: it
// brings nothing for 3 s.
func firstHeld(t *testing.T, b amqpbus.Bus, log string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	r := openReader(t, b, log, 0)
	defer func() { _ = r.Close() }()
	got, err := r.Receive(ctx, 1)
	switch {
	case err == nil:
		return got[0].Offset
	case !errors.Is(err, context.DeadlineExceeded):
		t.Logf("a reader that began at the cut ended: %v", err)
	}
	return -1
}
