package agreement

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// word is a row of docs/glossary.md.
type word struct{ name, room, not string }

var (
	glossaryRow = regexp.MustCompile("(?m)^\\| ([^|`]+) \\| `([a-z/]+)` \\| [^|]+ \\| ?([^|]*) ?\\|$")
	quoted      = regexp.MustCompile("`([^`]+)`")
)

func glossary(t *testing.T, root string) (words []word) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/glossary.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range glossaryRow.FindAllStringSubmatch(string(text), -1) {
		words = append(words, word{strings.TrimSpace(m[1]), m[2], m[3]})
	}
	return words
}

// packageComment is what a package says of itself, in one line.
func packageComment(dir string) string {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.go")) // the pattern is good
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err == nil && file.Doc != nil && !strings.HasSuffix(path, "_test.go") {
			return strings.Join(strings.Fields(file.Doc.Text()), " ")
		}
	}
	return ""
}

// says reports that a text uses a word or its plural.
func says(text, name string) bool {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `s?\b`).MatchString(text)
}

// TestGlossary: each word has one row, is used by the package that owns it, and no
// package comment uses a word that is said otherwise.
func TestGlossary(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	words := glossary(t, root)
	if len(words) < 30 {
		t.Fatalf("only %d rows were read", len(words))
	}
	var names, banned []string
	for _, w := range words {
		names = append(names, w.name)
		for _, m := range quoted.FindAllStringSubmatch(w.not, -1) {
			banned = append(banned, m[1])
		}
		comment := packageComment(filepath.Join(root, w.room))
		spellings := strings.Split(w.name, ", ")
		if !slices.ContainsFunc(spellings, func(s string) bool {
			return says(comment, strings.TrimPrefix(strings.TrimPrefix(s, "the "), "a "))
		}) {
			t.Errorf("the comment of %s does not use %q: %s", w.room, w.name, comment)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("the words are not sorted, or one has two rows: %q", names)
	}
	for _, room := range []string{"pkg", "services", "cmd"} {
		_ = filepath.WalkDir(filepath.Join(root, room), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				for _, b := range banned {
					if says(packageComment(path), b) {
						t.Errorf("the comment of %s says %q, for which the glossary has another word", path, b)
					}
				}
			}
			return err
		})
	}
}
