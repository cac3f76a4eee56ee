package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// part is one command.
type part struct {
	name    string
	dir     string // below the repository's root
	env     []string
	command []string
	// skip, when set, says why the part cannot run here; empty: it can.
	skip func() string
	// prepare, when set, makes what the part needs and returns more of its environment.
	prepare func(root string) ([]string, error)
	// within bounds the part; 0: an hour.
	within time.Duration
}

// lane is parts that run one after another.
type lane []part

// endToEnd is a run of go test in the folder of the end-to-end tests.
func endToEnd(name string, args ...string) part {
	return part{name: name, dir: "e2e", env: []string{"GOWORK=off"}, command: append([]string{"go", "test"}, args...)}
}

// bounded gives the part another bound.
func (p part) bounded(within time.Duration) part {
	p.within = within
	return p
}

// with adds variables to a part's environment.
func (p part) with(env ...string) part {
	p.env = append(append([]string{}, p.env...), env...)
	return p
}

// grace is how long a part that is told to end may take.
const grace = 20 * time.Second

// run runs the part and returns the CPU time of its processes. Lines that say
// how a package or a long step went are passed on as they come; all that was
// written is returned for the case that it fails.
func (p part) run(ctx context.Context, root string, env []string, progress func(line string)) (output []byte, cpu time.Duration, err error) {
	within := p.within
	if within == 0 {
		within = time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if p.prepare != nil {
		more, err := p.prepare(root)
		if err != nil {
			return nil, 0, fmt.Errorf("prepare: %w", err)
		}
		p = p.with(more...)
	}
	var out scribe
	out.progress = progress
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Dir = filepath.Join(root, p.dir)
	cmd.Env = append(append([]string{}, env...), p.env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// A group of its own, so that its children end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err = cmd.Run()
	if cmd.ProcessState != nil {
		cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return out.all.Bytes(), cpu, err
}

// scribe keeps what is written, and passes on the lines that show progress.
type scribe struct {
	mu       sync.Mutex
	all      bytes.Buffer
	line     []byte
	before   string // the line before, which gives the reason of a skip
	progress func(string)
}

var _ io.Writer = (*scribe)(nil)

// telling are the beginnings of lines that show progress.
var telling = []string{"ok  \t", "ok   ", "FAIL\t", "FAIL ", "--- FAIL", "== "}

// skipped is in the line of a test that does not run.
const skipped = "--- SKIP: "

// seeds are in lines that say how to replay what was drawn.
const seeds = " from seed "

func tells(line string) bool {
	for _, beginning := range telling {
		if strings.HasPrefix(line, beginning) {
			return true
		}
	}
	return strings.Contains(line, skipped) || strings.Contains(line, seeds)
}

// Write implements io.Writer.
func (s *scribe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(b)
	s.line = append(s.line, b...)
	for {
		end := bytes.IndexByte(s.line, '\n')
		if end < 0 {
			return len(b), nil
		}
		line := string(s.line[:end])
		s.line = s.line[end+1:]
		if strings.Contains(line, skipped) && strings.Contains(s.before, "_test.go:") {
			line += " " + strings.TrimSpace(s.before)
		}
		if tells(line) {
			s.progress(line)
		}
		s.before = line
	}
}
