package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus/brokertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(brokertest.Sharing{Tests: m})
}

// clean takes every BELFRY_ variable out of the environment; it comes back, and
// what the test sets goes, at the test's end.
func clean(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir()) // a belfry dev of the developer's is not the test's
	before := os.Environ()
	forget := func() {
		for _, entry := range os.Environ() {
			if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "BELFRY_") {
				_ = os.Unsetenv(name)
			}
		}
	}
	forget()
	t.Cleanup(func() {
		forget()
		for _, entry := range before {
			if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "BELFRY_") {
				_ = os.Setenv(name, value)
			}
		}
	})
}

// set is os.Setenv in a test that began with clean.
func set(t *testing.T, name, value string) {
	t.Helper()
	if err := os.Setenv(name, value); err != nil {
		t.Fatal(err)
	}
}

// result of a command.
type done struct {
	status   int
	out, err string
}

// sh runs a command to its end, 30 s at most.
func sh(t *testing.T, in string, args ...string) done {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, errOut bytes.Buffer
	status := run(ctx, append([]string{"belfry"}, args...), strings.NewReader(in), &out, &errOut)
	return done{status, out.String(), errOut.String()}
}

// want fails the test unless a command ended so; the texts must be in its
// output and in what it said.
func (d done) want(t *testing.T, status int, out, said string) {
	t.Helper()
	if d.status != status || !strings.Contains(d.out, out) || !strings.Contains(d.err, said) {
		t.Errorf("status %d, want %d\noutput, wanted %q:\n%s\nsaid, wanted %q:\n%s", d.status, status, out, d.out, said, d.err)
	}
}

// screen is a writer on which a test can wait for a text.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer  // guarded by mu
	changed chan struct{} // guarded by mu; closed at the next write
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

func (s *screen) look() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.changed
}

// await waits for a pattern and returns its first group.
func (s *screen) await(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for {
		text, changed := s.look()
		if m := wanted.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-late.C:
			t.Fatalf("%q did not come:\n%s", pattern, text)
		}
	}
}

// running is a command that goes on.
type running struct {
	out, err *screen
	cancel   context.CancelFunc
	status   chan int
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{out: newScreen(), err: newScreen(), cancel: cancel, status: make(chan int, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.status <- run(ctx, append([]string{"belfry"}, args...), strings.NewReader(""), r.out, r.err)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// ends waits for the exit status.
func (r *running) ends(t *testing.T) int {
	t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case status := <-r.status:
		return status
	case <-late.C:
		t.Fatal("the command does not end")
		return -1
	}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
