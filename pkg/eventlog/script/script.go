// Package script runs the readable tests of the log's machines. A script is a text
// file: a line that begins with "> " is what the machine did because of the line before
// it, every other line is an input, and "#" begins a comment.
package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Run plays every script of testdata. Each gets a machine of its own from open, which
// returns how an input line is performed: the lines that come out, or why the input
// cannot be read. With BELFRY_TEST_UPDATE=1 what comes out is written into the scripts:
// read the difference before it is committed.
func Run(t *testing.T, open func() func(line string) ([]string, error)) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata has %d scripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text), open())
			if got == string(text) {
				return
			}
			if os.Getenv("BELFRY_TEST_UPDATE") == "1" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil { //nolint:gosec // a file of the repository
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s: the machine did something else:\n%s", file, difference(string(text), got))
		})
	}
}

func play(t *testing.T, text string, perform func(string) ([]string, error)) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "> ") {
			continue
		}
		b.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		out, err := perform(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, l := range out {
			b.WriteString("> " + l + "\n")
		}
	}
	return b.String()
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < min(len(w), len(g)) && w[i] == g[i] {
		i++
	}
	from := max(i-3, 0)
	show := func(lines []string) string {
		return strings.Join(lines[min(from, len(lines)):min(i+6, len(lines))], "\n")
	}
	return "wanted\n" + show(w) + "\n\ngot\n" + show(g)
}
