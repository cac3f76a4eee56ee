package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"belfry/e2e/harness"
)

// bareServers are the baselines that need a process of their own, so that its CPU
// time and memory can be told from the clients'. Each prints its address first,
// obeys the lines of its standard input and ends with it.
var bareServers = map[string]func(in io.Reader, out io.Writer) error{"loop": serveLoop, "idle": serveIdle}

// bareServer is one that runs.
type bareServer struct {
	*harness.Process
	in      io.WriteCloser
	read    *os.File
	out     *bufio.Reader // of read
	address string
	unwatch func() bool
}

// startBare starts the one of this name. It ends with stop, or with ctx.
func startBare(ctx context.Context, dir, name string) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the benchmark's own program: %w", err)
	}
	cmd := exec.Command(self, "bare-server", name)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	out, outWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.Stdout = outWrite
	p, err := harness.Launch("bare-"+name, filepath.Join(dir, "bare-"+name+".log"), cmd)
	_ = outWrite.Close()
	if err != nil {
		return nil, err
	}
	b := &bareServer{Process: p, in: in, read: out, out: bufio.NewReader(out)}
	b.unwatch = context.AfterFunc(ctx, p.Kill9) // which ends whoever waits for an answer
	if _, err := fmt.Fscanln(b.out, &b.address); err != nil {
		b.stop()
		return nil, fmt.Errorf("read the address of %s: %w\n%s", p.Name, err, p.Tail(20))
	}
	return b, nil
}

func (b *bareServer) stop() {
	b.unwatch()
	_ = b.in.Close()
	_, _ = b.Terminate(10 * time.Second)
	_ = b.read.Close()
}

// obey sends a line and waits for the answer to it.
func (b *bareServer) obey(line string) error {
	if _, err := fmt.Fprintln(b.in, line); err != nil {
		return fmt.Errorf("tell %s: %w", b.Name, err)
	}
	var answer int
	if _, err := fmt.Fscanln(b.out, &answer); err != nil {
		return fmt.Errorf("hear from %s: %w\n%s", b.Name, err, b.Tail(20))
	}
	return nil
}
