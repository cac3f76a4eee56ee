package rabbit

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestOffsetStaysInAHeader: of a table that must become shorter the offset is kept, also
// where the broker has put it behind everything.
func TestOffsetStaysInAHeader(t *testing.T) {
	offset := entry(offsetHeader, typed('l', bytes.Repeat([]byte{1}, 8))...)
	texts := bytes.Repeat(entry("k", text(strings.Repeat("x", 53))...), maxEntries+1)
	for name, table := range map[string][]byte{
		"behind 10,000 entries":      append(numbered(10_000), offset...),
		"behind 8,193 texts":         append(slices.Clone(texts), offset...),
		"between two times 5,000":    slices.Concat(numbered(5000), offset, numbered(5000)),
		"behind a table of 100 KiB":  append(bytes.Repeat(entry("k", text(strings.Repeat("x", 93))...), 1000), offset...),
		"alone":                      offset,
		"behind one that is too big": append(entry("k", text(strings.Repeat("x", 200<<10))...), offset...),
	} {
		const frameMax = 64 << 10
		f := mended(contentHeader(table, 1), frameMax)
		if len(f) > frameMax {
			t.Errorf("%s: the frame has %d bytes", name, len(f))
		}
		if n := bytes.Count(f, offset); n != 1 {
			t.Errorf("%s: the offset stands there %d times", name, n)
		}
	}
}

// TestLogOfOddHeaders writes entries to a log whose headers the library does not read as
// they are: the reader brings each, and what stands behind it.
func TestLogOfOddHeaders(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declare(t, b, amqpbus.Queue{Name: "log", Stream: true})
	f := newForeigner(t, n.URL("guest"))
	group := entry("group", text("job_events-1")...)
	var want []string
	for name, table := range map[string][]byte{
		"an L":                      entry("k", typed('L', make([]byte, 8))...),
		"forty levels":              entry("k", nested('F', 40)...),
		"10,000 entries":            numbered(10_000),
		"a large header":            entry("k", text(strings.Repeat("x", f.raw.FrameMax()-200))...),
		"2,000 headers of 60 bytes": bytes.Repeat(entry("k", text(strings.Repeat("x", 53))...), 2000),
	} {
		want = append(want, name, "behind it")
		if err := f.raw.Publish(brokertest.RawMessage{Key: "log", Table: append(slices.Clone(group), table...), Body: []byte(name)}); err != nil {
			t.Fatal(err)
		}
		if err := f.raw.Publish(brokertest.RawMessage{Key: "log", Body: []byte("behind it")}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got []string
	for len(got) < len(want) {
		entries, err := r.Receive(ctx, 100)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		for _, e := range entries {
			got = append(got, string(e.Body))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}
