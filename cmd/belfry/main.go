// Command belfry is Belfry's command line: it runs everything in one process for
// development, emits and receives events, makes tokens, and checks an installation.
//
// This package defines the commands and implements the short ones. The longer ones have
// internal packages: dev, listen, check, dead, reshard, permissions. Every command gets
// its context, writers and arguments from run, so that tests can call run as a shell
// would. Results go to standard output, all other messages to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"belfry/pkg/daemon"
)

// The exit statuses other than 0.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 128 + int(syscall.SIGINT)
)

// errInterrupted says that a signal ended the command before it was done.
var errInterrupted = errors.New("interrupted")

// usageError is a mistake in the arguments.
type usageError struct{ err error }

func (u usageError) Error() string { return u.err.Error() }
func (u usageError) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), daemon.Endings()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command and returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	err := root(in, out, errOut).Run(ctx, args)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return statusInterrupted
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(errOut, "belfry: %v\n", err)
		return statusUsage
	default:
		_, _ = fmt.Fprintf(errOut, "belfry: %v\n", err)
		return statusFailed
	}
}
