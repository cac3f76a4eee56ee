package operations

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shippedRooms hold what runs in production; kits of tests are below them, too.
var (
	shippedRooms = []string{"services", "pkg"}
	kitRooms     = []string{"bustest", "brokertest", "membus"}
	warningRow   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (warn|error) \\|")
)

// handedOn are messages that are logged through a variable or an entry of their own.
var handedOn = map[string]string{
	"consumer lost, reopening":  "warn",
	"publisher lost, reopening": "warn",
	"log lines were dropped before this one: the reader of standard error stood still, was away, or its disk was full": "warn",
}

// warnings reads the programs' sources: each message that is logged as a
// warning or an error, with its level.
func warnings(t *testing.T) map[string]string {
	t.Helper()
	out := maps.Clone(handedOn)
	for _, room := range shippedRooms {
		err := filepath.WalkDir(filepath.Join("../..", room), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && slices.Contains(kitRooms, d.Name()):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if level, message, ok := logged(n); ok {
					out[message] = level
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// logged is the level and the message of a call such as log.Warn("text", ...).
func logged(n ast.Node) (level, message string, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall || len(call.Args) == 0 {
		return "", "", false
	}
	method, isMethod := call.Fun.(*ast.SelectorExpr)
	text, isText := call.Args[0].(*ast.BasicLit)
	if !isMethod || !isText || text.Kind != token.STRING || method.Sel.Name != "Warn" && method.Sel.Name != "Error" {
		return "", "", false
	}
	message, err := strconv.Unquote(text.Value)
	return strings.ToLower(method.Sel.Name), message, err == nil
}

// TestEveryWarningIsExplained: the person on call finds each in the manual, and
// nothing there that is never logged.
func TestEveryWarningIsExplained(t *testing.T) {
	logged := warnings(t)
	if len(logged) < 20 {
		t.Fatalf("only %d warnings were found in the sources", len(logged))
	}
	explained := map[string]string{}
	for _, row := range warningRow.FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		explained[row[1]] = row[2]
	}
	for _, message := range slices.Sorted(maps.Keys(logged)) {
		if explained[message] != logged[message] {
			t.Errorf("logged as %s, but docs/operations.md has %q: %s", logged[message], explained[message], message)
		}
	}
	for message := range explained {
		if logged[message] == "" {
			t.Errorf("docs/operations.md explains what is never logged: %s", message)
		}
	}
}
