package bustest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belfry/pkg/amqpbus"
)

// log declares a log of its own and returns its name.
func (k *kit) log(b amqpbus.Bus) string {
	k.Helper()
	return k.queue(b, amqpbus.Queue{Name: k.name("log." + rand.Text()[:5]), Stream: true})
}

// reader opens a reader and closes it at the end of the test.
func (k *kit) reader(b amqpbus.Bus, log string, at int64) amqpbus.LogReader {
	k.Helper()
	r, err := b.OpenLogReader(k.ctx, amqpbus.LogReaderOptions{Log: log, At: at})
	k.noError(err, "open log reader")
	k.Cleanup(func() {
		if err := r.Close(); err != nil {
			k.Errorf("close log reader: %v", err)
		}
	})
	return r
}

// entries reads so many entries.
func (k *kit) entries(r amqpbus.LogReader, n, max int) []amqpbus.LogEntry {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	var out []amqpbus.LogEntry
	for len(out) < n {
		want := min(max, n-len(out))
		got, err := r.Receive(ctx, want)
		if err != nil {
			k.Fatalf("receive after %d of %d: %v", len(out), n, err)
		}
		if len(got) == 0 || len(got) > want {
			k.Fatalf("receive(%d) gave %d entries", want, len(got))
		}
		out = append(out, got...)
	}
	for i := 1; i < n; i++ {
		if out[i].Offset <= out[i-1].Offset {
			k.Fatalf("offset %d comes behind %d", out[i].Offset, out[i-1].Offset)
		}
	}
	return out
}

// expectEntries reads exactly these bodies.
func (k *kit) expectEntries(r amqpbus.LogReader, bodies ...string) []amqpbus.LogEntry {
	k.Helper()
	got := k.entries(r, len(bodies), len(bodies))
	if !slices.Equal(bodiesOf(got), bodies) {
		k.Fatalf("read %q, want %q", bodiesOf(got), bodies)
	}
	return got
}

// expectNoEntry shows that a reader gets nothing for a while.
func (k *kit) expectNoEntry(r amqpbus.LogReader) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, quiet)
	defer cancel()
	got, err := r.Receive(ctx, 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		k.Fatalf("read %q and %v, want nothing and the context's error", bodiesOf(got), err)
	}
}

// end waits for the error with which a reader ends.
func (k *kit) end(r amqpbus.LogReader) error {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	for {
		if _, err := r.Receive(ctx, 100); err != nil {
			return err
		}
	}
}

// attached reads on until a reader that began at the end of a log brings what is
// written there, and returns that entry. What it began with may be missed.
func (k *kit) attached(b amqpbus.Bus, r amqpbus.LogReader, log string) amqpbus.LogEntry {
	k.Helper()
	for i := range 100 {
		k.send(b, log, fmt.Sprintf("mark %d", i))
		ctx, cancel := context.WithTimeout(k.ctx, quiet)
		got, err := r.Receive(ctx, 1)
		cancel()
		if err == nil {
			return k.lastMark(r, got[0], i)
		}
		k.wantError(err, context.DeadlineExceeded, "read at the end")
	}
	k.Fatal("a reader at the end of the log brings nothing")
	return amqpbus.LogEntry{}
}

// lastMark reads up to the last mark that was written.
func (k *kit) lastMark(r amqpbus.LogReader, e amqpbus.LogEntry, last int) amqpbus.LogEntry {
	k.Helper()
	for string(e.Body) != fmt.Sprintf("mark %d", last) {
		if !strings.HasPrefix(string(e.Body), "mark ") {
			k.Fatalf("a reader at the end brings %q, from before", e.Body)
		}
		e = k.entries(r, 1, 1)[0]
	}
	return e
}

func bodiesOf(entries []amqpbus.LogEntry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, string(e.Body))
	}
	return out
}
