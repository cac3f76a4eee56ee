package check

import (
	"fmt"
	"io"
	"strings"
)

// report writes findings. It is used by one goroutine.
type report struct {
	out   io.Writer
	wrong int             // number of findings that are wrong
	said  map[string]bool // wrong findings, so that each is written once for all roles
}

func newReport(out io.Writer) *report { return &report{out: out, said: map[string]bool{}} }

func (r *report) good(format string, args ...any) { r.write("ok   ", format, args...) }

func (r *report) note(format string, args ...any) { r.write("note ", format, args...) }

// bad adds a finding that is wrong for each line of err.
func (r *report) bad(about string, err error) {
	for text := range strings.Lines(err.Error()) {
		text = about + ": " + strings.TrimSuffix(text, "\n")
		if r.said[text] {
			continue
		}
		r.said[text] = true
		r.wrong++
		r.write("WRONG", "%s", text)
	}
}

func (r *report) write(kind, format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, "%s  %s\n", kind, fmt.Sprintf(format, args...))
}
