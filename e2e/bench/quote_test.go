package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// TestQuotesAreTheReadmes holds the README to what the benchmark measures: its table
// has these rows, in this order, and can be replaced by the benchmark's.
func TestQuotesAreTheReadmes(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "| | Belfry | bare baseline | ratio |\n|---|---|---|---|\n")
	if !found {
		t.Fatal("the README has no such table")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	lines := strings.Split(table, "\n")
	if len(lines) != len(quotes) {
		t.Fatalf("the README quotes %d figures, the benchmark has %d", len(lines), len(quotes))
	}
	for i, q := range quotes {
		cells := strings.Split(lines[i], "|")
		if len(cells) != 6 || strings.TrimSpace(cells[1]) != q.what || !strings.HasPrefix(strings.TrimSpace(cells[3]), q.baseline+": ") {
			t.Errorf("the README has\n%s\nand the benchmark measures %q, beside %q", lines[i], q.what, q.baseline)
		}
	}
}

// TestQuotesComeFromOneRun: a part of a run gives no table to copy.
func TestQuotesComeFromOneRun(t *testing.T) {
	t.Parallel()
	all := []row{
		{quoted: idleQuote.of("17 KiB", "35 KiB", 0.486)}, {what: "not quoted"},
		{quoted: fanoutQuote.of("14 us", "12 us", 1.17)}, {quoted: latencyQuote.of("0.9 ms", "0.7 ms", 1.34)},
	}
	var out bytes.Buffer
	if err := writeQuotes(&out, all[1:]); err != nil || out.Len() != 0 {
		t.Errorf("without one figure: %q, %v", out.String(), err)
	}
	if err := writeQuotes(&out, all); err != nil {
		t.Fatal(err)
	}
	want := `
For the README:

| | Belfry | bare baseline | ratio |
|---|---|---|---|
| one event to 1,000 browsers, CPU for each | 14 us | a bare write loop over as many sockets: 12 us | 1.2 |
| publish to socket at 1,000 events a second, p50 | 0.9 ms | raw RabbitMQ over the same two hops: 0.7 ms | 1.3 |
| memory of an idle, subscribed connection | 17 KiB | one goroutine and channel per connection with the same library: 35 KiB | 0.5 |
`
	if out.String() != want {
		t.Errorf("got %s\nwant %s", out.String(), want)
	}
}
