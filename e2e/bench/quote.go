package main

import (
	"fmt"
	"io"
)

// quote is a figure of the README's section "What it costs".
type quote struct{ what, baseline, ours, theirs, ratio string }

// The README's figures, in its order: what is measured, and what a bare baseline is.
var (
	fanoutQuote  = quote{what: "one event to 1,000 browsers, CPU for each", baseline: "a bare write loop over as many sockets"}
	latencyQuote = quote{what: "publish to socket at 1,000 events a second, p50", baseline: "raw RabbitMQ over the same two hops"}
	idleQuote    = quote{what: "memory of an idle, subscribed connection", baseline: "one goroutine and channel per connection with the same library"}
	quotes       = []quote{fanoutQuote, latencyQuote, idleQuote}
)

// of is the quote with figures.
func (q quote) of(ours, theirs string, ratio float64) *quote {
	q.ours, q.theirs, q.ratio = ours, theirs, fmt.Sprintf("%.1f", ratio)
	return &q
}

// writeQuotes writes the README's table, when one run has measured all of it.
func writeQuotes(w io.Writer, rows []row) error {
	measured := map[string]*quote{}
	for _, r := range rows {
		if r.quoted != nil {
			measured[r.quoted.what] = r.quoted
		}
	}
	if len(measured) < len(quotes) {
		return nil
	}
	if _, err := fmt.Fprint(w, "\nFor the README:\n\n| | Belfry | bare baseline | ratio |\n|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, q := range quotes {
		m := measured[q.what]
		if _, err := fmt.Fprintf(w, "| %s | %s | %s: %s | %s |\n", q.what, m.ours, q.baseline, m.theirs, m.ratio); err != nil {
			return err
		}
	}
	return nil
}
