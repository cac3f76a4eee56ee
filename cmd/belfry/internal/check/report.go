package check

import (
	"fmt"
	"io"
	"strings"
)

// report writes findings as they come. It belongs to one goroutine.
type report struct {
	out   io.Writer
	wrong int
	said  map[string]bool // what is wrong, so that two roles do not say it twice
}

func newReport(out io.Writer) *report { return &report{out: out, said: map[string]bool{}} }

func (r *report) good(format string, args ...any) { r.line("ok   ", format, args...) }

func (r *report) note(format string, args ...any) { r.line("note ", format, args...) }

// bad adds what is wrong, a line for each line of it.
func (r *report) bad(about string, err error) {
	for text := range strings.Lines(err.Error()) {
		text = about + ": " + strings.TrimSuffix(text, "\n")
		if r.said[text] {
			continue
		}
		r.said[text] = true
		r.wrong++
		r.line("WRONG", "%s", text)
	}
}

func (r *report) line(kind, format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, "%s  %s\n", kind, fmt.Sprintf(format, args...))
}
