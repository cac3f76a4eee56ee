package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"belfry/pkg/settings"
)

// sayWithin is how long to wait for the reader of standard error when a program ends.
const sayWithin = time.Second

// Main runs a program and ends the process. SIGTERM, SIGINT and SIGHUP cancel
// run's context. A second SIGTERM or SIGINT ends the process at once with 128 +
// the signal's number; a SIGHUP never does, because a terminal that closes sends
// several. The exit status is 0 when run returns nil, or returns because of the
// cancelled context; 1 when it returns another error, which is printed as a line
// of the log; 2 for invalid arguments. spec is a pointer to the struct of the
// program's variables, which --help lists.
func Main(name string, spec any, run func(ctx context.Context) error) {
	if status, end := arguments(name, spec, os.Args[1:], os.Stdout, os.Stderr); end {
		os.Exit(status)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, Endings()...)
	os.Exit(supervise(name, run, signals, os.Stderr, os.Exit))
}

// Endings returns the signals that ask a program to end: SIGTERM, SIGINT, and SIGHUP unless it
// was ignored when the process started (nohup).
func Endings() []os.Signal {
	endings := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) {
		endings = append(endings, syscall.SIGHUP)
	}
	return endings
}

// arguments handles --version and --help. Programs are only configured by their environment, so
// any other argument is an error.
func arguments(name string, spec any, args []string, stdout, stderr io.Writer) (status int, end bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case "--version", "-version", "version":
		_, _ = fmt.Fprintf(stdout, "%s %s\n", name, Version)
		return 0, true
	case "--help", "-help", "-h", "help":
		variables, err := settings.Help(spec)
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
			return 1, true
		}
		_, _ = fmt.Fprintf(stdout, "Usage: %s [--version]\n\nIt takes its configuration from variables in the environment:\n\n%s\n"+
			"Example:\n  BELFRY_AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ %s\n", name, variables, name)
		return 0, true
	}
	_, _ = fmt.Fprintf(stderr, "%s: it takes no arguments but --help and --version; BELFRY_ variables configure it\n", name)
	return 2, true
}

// supervise is Main without ending the process. exit is called on the second signal, from
// another goroutine.
func supervise(name string, run func(ctx context.Context) error, signals <-chan os.Signal, stderr io.Writer, exit func(int)) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		asked := 0
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGHUP {
					asked++
				}
				if asked == 2 {
					exit(statusOf(s))
					return
				}
				cancel()
			case <-finished:
				return
			}
		}
	}()
	err := run(ctx)
	if err == nil || ctx.Err() != nil && onlyCancelled(err) {
		return 0
	}
	say(stderr, lastWords(name, err))
	return 1
}

// say writes a program's last line. It waits for the reader for sayWithin at most.
func say(stderr io.Writer, text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.WriteString(stderr, text) // an error could not be reported anywhere
	}()
	timer := time.NewTimer(sayWithin)
	defer timer.Stop()
	select {
	case <-said:
	case <-timer.C:
	}
}

// onlyCancelled reports whether err only says that the context ended. If another error is joined
// to it, it reports false.
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
