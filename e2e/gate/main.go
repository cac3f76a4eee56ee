// Command gate runs Belfry's tests and ends with a table: what ran, what did
// not and why, how long each part took, and what it cost in CPU.
//
//	gate                       the gate: every part that a change must pass (make test)
//	gate -short                what needs Go alone (make test-short)
//	gate -verify               everything (make verify); it goes on after a failure
//	gate -verify -part fuzz,drills
//
// A part is a command in a folder of the repository. Parts of one lane run one
// after another, lanes beside each other. Most end-to-end tests wait most of the
// time, so they run beside what computes. All parts share one RabbitMQ node and
// one set of programs, which are made before the first part and end with the last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"belfry/e2e/harness"
)

func main() {
	short := flag.Bool("short", false, "run what needs Go alone")
	verify := flag.Bool("verify", false, "run everything, also what takes hours")
	only := flag.String("part", "", "with -verify: run only these `parts` (names with commas between them)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *short, *verify, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, short, verify bool, only string) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	b := newBoard(os.Stdout)
	var shared error
	switch {
	case short:
		b.lanes(ctx, root, os.Environ(), withoutBroker())
	case verify:
		chosen, err := choose(everything(), only)
		if err != nil {
			return err
		}
		shared = withShared(ctx, b, func(env []string) { b.lanes(ctx, root, env, chosen) })
	default:
		shared = withShared(ctx, b, func(env []string) { b.lanes(ctx, root, env, gate()) })
	}
	if b.print() && shared == nil && ctx.Err() == nil {
		return nil
	}
	return errors.Join(shared, ctx.Err(), errors.New("FAILED"))
}

// choose keeps the parts with the given names; none given: all.
func choose(all []lane, names string) ([]lane, error) {
	if names == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var known []string
	var chosen []lane
	for _, l := range all {
		var kept lane
		for _, p := range l {
			known = append(known, p.name)
			if wanted[p.name] {
				kept = append(kept, p)
				delete(wanted, p.name)
			}
		}
		chosen = append(chosen, kept)
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no part %q; the parts are %s", name, strings.Join(known, ", "))
	}
	return chosen, nil
}
