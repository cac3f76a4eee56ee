package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/brokertest"
)

// nodeWithin bounds the start of the shared node, on a machine that is busy
// with building.
const nodeWithin = 3 * time.Minute

// withShared starts a RabbitMQ node and builds the programs, hands both to use as
// an environment, and ends and removes them.
func withShared(ctx context.Context, b *board, use func(env []string)) (err error) {
	dir, err := os.MkdirTemp("", "belfry-gate-")
	if err != nil {
		return fmt.Errorf("make a folder for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var node *brokertest.Node
	var making sync.WaitGroup
	var nodeErr, programsErr error
	making.Go(func() { node, nodeErr = startNode(ctx, b, filepath.Join(dir, "broker")) })
	making.Go(func() { programsErr = buildPrograms(b, filepath.Join(dir, "programs")) })
	making.Wait()
	if node != nil {
		defer node.Stop()
	}
	if err := errors.Join(nodeErr, programsErr); err != nil {
		return err
	}
	// A belfry dev of the tests is not taken for the developer's own.
	runtime := filepath.Join(dir, "runtime")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		return fmt.Errorf("make a folder for the run: %w", err)
	}
	use(append(os.Environ(), "XDG_RUNTIME_DIR="+runtime,
		brokertest.SharedVariable+"="+filepath.Join(dir, "broker"),
		harness.ProgramsVariable+"="+filepath.Join(dir, "programs")))
	return nil
}

func startNode(ctx context.Context, b *board, dir string) (*brokertest.Node, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, nodeWithin)
	defer cancel()
	node, err := brokertest.StartNode(ctx, dir)
	if err == nil {
		err = node.Describe()
	}
	b.made("broker", began, 0, err)
	return node, err
}

func buildPrograms(b *board, dir string) error {
	began, before := time.Now(), children()
	err := harness.BuildPrograms(dir)
	if err == nil {
		err = harness.BuildRaced(filepath.Join(dir, "race"))
	}
	b.made("programs", began, children()-before, err)
	return err
}

// made notes how the making of something shared went.
func (b *board) made(name string, began time.Time, cpu time.Duration, err error) {
	r := result{verdict: "ok", name: name, took: time.Since(began), cpu: cpu}
	if err != nil {
		r.verdict = "FAIL"
	}
	b.note(r, nil, err)
}

// children is the CPU time of all children that have ended.
func children() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
