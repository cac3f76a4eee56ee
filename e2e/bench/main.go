// Command bench measures what Belfry costs, beside bare baselines in the same
// run: memory of an idle connection, CPU per delivery, emits a second end to
// end, and latency. Absolute figures drift from machine to machine; quote the
// ratios.
//
// Every experiment runs the real gateway and worker as processes of their own
// against a private RabbitMQ, on loopback only. CPU and memory come from /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"belfry/e2e/harness"
)

const usage = `Measure Belfry beside bare baselines and print a table.

  bench [-bin DIR] [-run REGEXP] [-conns N] [-seconds N]

Example, only the pipeline, five seconds each:

  bench -bin bin -run pipeline -seconds 5

`

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bare-server" {
		if err := bareServers[os.Args[2]](os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bare-server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	bin     string
	only    *regexp.Regexp
	conns   int
	lasting time.Duration
}

func parse() (options, error) {
	bin := flag.String("bin", "bin", "folder of the programs gateway and worker (make build)")
	only := flag.String("run", "", "run only the experiments whose name matches")
	conns := flag.Int("conns", 10000, "idle connections, at most 15,000")
	seconds := flag.Int("seconds", 10, "how long each rate is held")
	flag.Usage = func() { _, _ = fmt.Fprint(flag.CommandLine.Output(), usage); flag.PrintDefaults() }
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return options{}, fmt.Errorf("-run: %w", err)
	}
	if *conns < 1 || *conns > 15000 {
		return options{}, errors.New("-conns must be between 1 and 15,000: a process has 20,000 descriptors at most")
	}
	abs, err := filepath.Abs(*bin)
	if err != nil {
		return options{}, fmt.Errorf("-bin: %w", err)
	}
	for _, program := range []string{"gateway", "worker"} {
		if _, err := os.Stat(filepath.Join(abs, program)); err != nil {
			return options{}, fmt.Errorf("-bin: %w (make build makes the programs)", err)
		}
	}
	return options{bin: abs, only: match, conns: *conns, lasting: time.Duration(*seconds) * time.Second}, nil
}

// Bounds of the whole and of one experiment, on a machine that is busy.
const (
	within    = 25 * time.Minute
	oneWithin = 6 * time.Minute
)

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	if err := os.Setenv(harness.ProgramsVariable, o.bin); err != nil {
		return fmt.Errorf("-bin: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := newRig()
	if err != nil {
		return err
	}
	rows, err := measure(ctx, o, r)
	if err := errors.Join(err, r.close()); err != nil {
		return err
	}
	return errors.Join(writeTable(os.Stdout, rows), writeQuotes(os.Stdout, rows))
}

func measure(ctx context.Context, o options, r *rig) ([]row, error) {
	say("starting a private broker, a gateway and a worker")
	s, err := startSystem(ctx, r)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, x := range experiments(o, s, r.dir) {
		if !o.only.MatchString(x.name) {
			continue
		}
		say("%s", x.name)
		ctx, cancel := context.WithTimeout(ctx, oneWithin)
		more, err := x.run(ctx)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// say tells how far the run is.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

type experiment struct {
	name string
	run  func(ctx context.Context) ([]row, error)
}

func experiments(o options, s *system, dir string) []experiment {
	one := func(r row, err error) ([]row, error) { return []row{r}, err }
	return []experiment{
		{"idle memory", func(ctx context.Context) ([]row, error) { return one(idleMemory(ctx, s, dir, o.conns)) }},
		{"fan-out, one at a time", func(ctx context.Context) ([]row, error) { return one(fanout(ctx, s, dir, 1, 50)) }},
		{"fan-out, 32 at once", func(ctx context.Context) ([]row, error) { return one(fanout(ctx, s, dir, 32, 20)) }},
		{"fan-out, 128 at once", func(ctx context.Context) ([]row, error) { return one(fanout(ctx, s, dir, 128, 10)) }},
		{"pipeline, flat out", func(ctx context.Context) ([]row, error) {
			return pipeline(ctx, s, emission{lasting: o.lasting, size: pipelineSize})
		}},
		{"latency at 1,000 emits/s", func(ctx context.Context) ([]row, error) {
			return pipeline(ctx, s, emission{rate: 1000, lasting: o.lasting, size: pipelineSize})
		}},
	}
}
