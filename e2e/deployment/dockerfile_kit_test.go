package deployment

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// stage is a part of the Dockerfile, with the steps of the stage that it is based on.
type stage struct {
	base  string
	steps []string // RUN, COPY and so on, each on one line
}

// stages reads the Dockerfile.
func stages(t *testing.T) map[string]stage {
	t.Helper()
	text := strings.ReplaceAll(repositoryFile(t, "Dockerfile"), "\\\n", " ")
	all := map[string]stage{}
	var name string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if words := strings.Fields(line); words[0] == "FROM" {
			name = words[3] // FROM image AS name
			all[name] = stage{words[1], slices.Clone(all[words[1]].steps)}
			continue
		}
		s := all[name]
		s.steps = append(s.steps, line)
		all[name] = s
	}
	return all
}

// of are the steps of one kind, without their first word.
func (s stage) of(kind string) (out []string) {
	for _, step := range s.steps {
		if rest, is := strings.CutPrefix(step, kind+" "); is {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}

func repositoryFile(t *testing.T, name string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// buildContext is what COPY . . copies: the repository's files without those that
// .dockerignore names.
func buildContext(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	dir := t.TempDir()
	for name := range bytes.SplitSeq(bytes.TrimSuffix(names, []byte{0}), []byte{0}) {
		from, to := filepath.Join(root, string(name)), filepath.Join(dir, string(name))
		info, err := os.Lstat(from)
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() || ignored(t, string(name)) {
			continue // removed and not yet committed, or no file
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ignored knows the two forms of patterns that .dockerignore has.
func ignored(t *testing.T, name string) bool {
	t.Helper()
	parts := strings.Split(name, "/")
	for pattern := range strings.FieldsSeq(repositoryFile(t, ".dockerignore")) {
		anywhere, is := strings.CutPrefix(pattern, "**/")
		if strings.ContainsAny(anywhere, "*?[/!") {
			t.Fatalf(".dockerignore has %s, which this test does not know", pattern)
		}
		if is && slices.Contains(parts, anywhere) || !is && parts[0] == pattern {
			return true
		}
	}
	return false
}

var mount = regexp.MustCompile(`--mount=\S+\s*`)

// build runs the RUN steps of the stage "build" in its context.
func build(t *testing.T, s stage) (dir string) {
	t.Helper()
	dir = buildContext(t)
	if copied := s.of("COPY"); !slices.Equal(copied, []string{". ."}) {
		t.Fatalf("the stage build copies %q", copied)
	}
	steps := s.of("RUN")
	if len(steps) == 0 {
		t.Fatal("the stage build runs nothing")
	}
	for _, step := range steps {
		run := exec.Command("sh", "-c", mount.ReplaceAllString(step, ""))
		run.Dir, run.Env = dir, append(os.Environ(), "VERSION=from-the-dockerfile", "GOWORK=") // the image finds its go.work
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", step, err, out)
		}
	}
	return dir
}
