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
)

const usage = `Measure Belfry beside bare baselines and print a table.

  bench [-bin DIR] [-run REGEXP] [-conns N] [-seconds N]

Example, only the pipeline, five seconds each:

  bench -bin bin -run pipeline -seconds 5

`

func main() {
	if len(os.Args) == 2 && os.Args[1] == "bare-server" {
		if err := serveBare(os.Stdin, os.Stdout); err != nil {
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
	return options{bin: abs, only: match, conns: *conns, lasting: time.Duration(*seconds) * time.Second}, nil
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "belfry-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	say("starting a private broker, a gateway and a worker")
	s, err := startSystem(ctx, dir, o.bin)
	if err != nil {
		return err
	}
	defer s.stop()
	var rows []row
	for _, x := range experiments(o, s, dir, say) {
		if !o.only.MatchString(x.name) {
			continue
		}
		say("%s", x.name)
		more, err := x.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		rows = append(rows, more...)
	}
	return writeTable(os.Stdout, rows)
}

type experiment struct {
	name string
	run  func(ctx context.Context) ([]row, error)
}

func experiments(o options, s *system, dir string, say func(string, ...any)) []experiment {
	one := func(r row, err error) ([]row, error) { return []row{r}, err }
	return []experiment{
		{"idle memory", func(ctx context.Context) ([]row, error) { return one(idleMemory(ctx, s, o.conns, say)) }},
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
