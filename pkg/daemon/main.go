package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a program and ends the process. SIGTERM and SIGINT cancel run's
// context; a second one ends the process at once with 128 + the signal's
// number. The exit status is 0 when run returns nil, or returns because of the
// cancelled context; 1 when it returns another error, which is printed; 2 for
// arguments that make no sense.
func Main(name string, run func(ctx context.Context) error) {
	if status, end := arguments(name, os.Args[1:], os.Stdout, os.Stderr); end {
		os.Exit(status)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	os.Exit(supervise(name, run, signals, os.Stderr, os.Exit))
}

// arguments answers --version and --help. The programs are configured by their
// environment alone, so anything else is an error.
func arguments(name string, args []string, stdout, stderr io.Writer) (status int, end bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case "--version", "-version", "version":
		_, _ = fmt.Fprintf(stdout, "%s %s\n", name, Version)
		return 0, true
	case "--help", "-help", "-h", "help":
		_, _ = fmt.Fprintf(stdout, "Usage: %s [--version]\n\nIt is configured by BELFRY_ variables: docs/configuration.md.\n\n"+
			"Example:\n  BELFRY_AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ %s\n", name, name)
		return 0, true
	}
	_, _ = fmt.Fprintf(stderr, "%s: it takes no arguments but --help and --version; BELFRY_ variables configure it\n", name)
	return 2, true
}

// supervise is Main without the process. exit is called from another goroutine
// on the second signal.
func supervise(name string, run func(ctx context.Context) error, signals <-chan os.Signal, stderr io.Writer, exit func(int)) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-finished:
			return
		}
		select {
		case s := <-signals:
			exit(statusOf(s))
		case <-finished:
		}
	}()
	err := run(ctx)
	if err == nil || ctx.Err() != nil && onlyCancelled(err) {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return 1
}

// onlyCancelled reports that err says nothing but that the context ended: an
// error of a step that is joined to it is still an error.
func onlyCancelled(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !onlyCancelled(e) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, context.Canceled)
}

func statusOf(s os.Signal) int {
	if number, ok := s.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}
