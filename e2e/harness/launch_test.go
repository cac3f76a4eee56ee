package harness

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func launch(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Launch("script", filepath.Join(t.TempDir(), "log"), exec.Command("/bin/sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill9)
	return p
}

// TestAwaitTellsOfTheEnd waits for what a process does not do any more.
func TestAwaitTellsOfTheEnd(t *testing.T) {
	t.Parallel()
	p := launch(t, "echo gone >&2; exit 3")
	err := p.Await(t.Context(), "a miracle", func() error { return errors.New("none") })
	if err == nil || !strings.Contains(err.Error(), "script ended with status 3") || p.Tail(1) != "gone" {
		t.Errorf("got %v, log %q", err, p.Log())
	}
}

// TestAwaitTellsWhatWasMissing waits in vain.
func TestAwaitTellsWhatWasMissing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := Await(ctx, "a miracle", func() error {
		if asked++; asked == 3 {
			cancel()
			return ctx.Err() // as whoever asks with ctx says it
		}
		return errors.New("no answer " + strconv.Itoa(asked))
	})
	if err == nil || !strings.Contains(err.Error(), "for a miracle: no answer 2") {
		t.Errorf("after %d questions: %v", asked, err)
	}
}

// TestTerminateEndsChildren ends a process that does not listen to SIGTERM, and what
// it started.
func TestTerminateEndsChildren(t *testing.T) {
	t.Parallel()
	p := launch(t, `trap "" TERM; sleep 600 & echo $!; wait`)
	Until(t, 10*time.Second, "the child", func() bool { return strings.HasSuffix(p.Log(), "\n") })
	child, err := strconv.Atoi(p.Tail(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Terminate(10 * time.Millisecond); err == nil {
		t.Error("it listened to SIGTERM")
	}
	Until(t, 10*time.Second, "the child to be gone", func() bool { return errors.Is(syscall.Kill(child, 0), syscall.ESRCH) || zombie(child) })
}

// zombie reports whether a process has ended and nobody has asked for its status.
func zombie(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(string(out), "Z")
}
