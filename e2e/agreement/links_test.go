package agreement

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// documents are the repository's Markdown files that people read.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "clients/*/README.md", "examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		all = append(all, found...)
	}
	return all
}

// links returns the relative targets of a document: a path and, or, an anchor.
func links(t *testing.T, document string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range link.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			all = append(all, m[1])
		}
	}
	return all
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors returns the fragments that a document's headings make.
func anchors(t *testing.T, document string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			plain := notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			all[strings.ReplaceAll(plain, " ", "-")] = true
		}
	}
	return all
}

// Every relative link leads to a file, and to a heading where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	checked := 0
	for _, document := range documents(t) {
		for _, target := range links(t, document) {
			path, anchor, _ := strings.Cut(target, "#")
			file := document
			if path != "" {
				file = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", document, target)
				continue
			}
			if anchor != "" && strings.HasSuffix(file, ".md") && !anchors(t, file)[anchor] {
				t.Errorf("%s links to %s: there is no such heading", document, target)
			}
			checked++
		}
	}
	if checked < 100 {
		t.Errorf("%d links were found: the pattern does not see them", checked)
	}
}

// Whoever opens a folder of documents finds each of them in its index.
func TestIndexesAreComplete(t *testing.T) {
	for _, folder := range []string{"docs", "docs/decisions"} {
		index := filepath.Join("..", "..", folder, "README.md")
		listed := map[string]bool{}
		for _, target := range links(t, index) {
			listed[target] = true
		}
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if name := filepath.Base(file); name != "README.md" && !listed[name] {
				t.Errorf("%s does not list %s", index, name)
			}
		}
	}
}
