package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"belfry/e2e/harness"
)

// rig is what the harness takes the benchmark for: it makes folders, notes what is
// to be undone, and gives up at the first thing that cannot be started. One
// goroutine uses it.
type rig struct {
	dir    string
	undo   []func()
	wrong  error // what went wrong without an end of the run
	failed bool
}

var _ harness.T = (*rig)(nil)

// fatal is what Fatal panics with; attempt catches it.
type fatal struct{ error }

func newRig() (*rig, error) {
	dir, err := os.MkdirTemp("", "belfry-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	return &rig{dir: dir}, nil
}

// attempt runs something that takes the rig, and returns what it gave up for.
func (r *rig) attempt(f func()) (err error) {
	defer func() {
		thrown := recover()
		if stop, ok := thrown.(fatal); ok {
			err = stop.error
		} else if thrown != nil {
			panic(thrown)
		}
	}()
	f()
	return nil
}

// close undoes everything, the last first, and returns what went wrong.
func (r *rig) close() error {
	for _, undo := range slices.Backward(r.undo) {
		r.wrong = errors.Join(r.wrong, r.attempt(undo))
	}
	return errors.Join(r.wrong, os.RemoveAll(r.dir))
}

func (r *rig) Helper()                           {}
func (r *rig) Cleanup(undo func())               { r.undo = append(r.undo, undo) }
func (r *rig) Failed() bool                      { return r.failed }
func (r *rig) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (r *rig) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }
func (r *rig) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func (r *rig) TempDir() string {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		r.Fatal(err)
	}
	return dir
}

func (r *rig) Error(args ...any) {
	r.failed = true
	r.wrong = errors.Join(r.wrong, errors.New(fmt.Sprint(args...)))
}

func (r *rig) Fatal(args ...any) {
	r.failed = true
	panic(fatal{errors.New(fmt.Sprint(args...))})
}
