package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// result is how a part ended.
type result struct {
	verdict string // ok, FAIL, skip
	name    string
	took    time.Duration
	cpu     time.Duration
	why     string // of a skip
}

// board shows what runs and notes how it ended. Its methods may be called
// concurrently.
type board struct {
	began time.Time
	mu    sync.Mutex
	out   io.Writer
	done  []result
}

func newBoard(out io.Writer) *board { return &board{began: time.Now(), out: out} }

func (b *board) say(format string, values ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sayLocked(format, values...)
}

func (b *board) sayLocked(format string, values ...any) {
	_, _ = fmt.Fprintf(b.out, "[%4.0f s] %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, values...))
}

// note notes a part's end and shows what a failed one wrote.
func (b *board) note(r result, output []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.verdict == "FAIL" {
		_, _ = fmt.Fprintf(b.out, "\n======== all that %s wrote\n%s======== %s: %v\n\n", r.name, output, r.name, err)
	}
	b.sayLocked("%-4s %s %s", r.verdict, r.name, r.why)
	b.done = append(b.done, r)
}

// lanes runs lanes beside each other and waits for them. A part that fails does
// not keep the others from running; the end of ctx does.
func (b *board) lanes(ctx context.Context, root string, env []string, lanes []lane) {
	var running sync.WaitGroup
	for _, l := range lanes {
		running.Go(func() {
			for _, p := range l {
				b.part(ctx, root, env, p)
			}
		})
	}
	running.Wait()
}

func (b *board) part(ctx context.Context, root string, env []string, p part) {
	if p.skip != nil {
		if why := p.skip(); why != "" {
			b.note(result{verdict: "skip", name: p.name, why: why}, nil, nil)
			return
		}
	}
	if ctx.Err() != nil {
		b.note(result{verdict: "skip", name: p.name, why: "interrupted"}, nil, nil)
		return
	}
	b.say("run  %s", p.name)
	began := time.Now()
	output, cpu, err := p.run(ctx, root, env, func(line string) { b.say("     %s: %s", p.name, line) })
	r := result{verdict: "ok", name: p.name, took: time.Since(began), cpu: cpu}
	if err != nil {
		r.verdict = "FAIL"
	}
	b.note(r, output, err)
}

// print writes the table, and reports whether nothing failed.
func (b *board) print() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	passed, failed, skipped := 0, 0, 0
	var cpu time.Duration
	_, _ = fmt.Fprintf(b.out, "\n%-7s %-28s %7s %7s\n", "", "part", "time", "CPU")
	for _, r := range b.done {
		_, _ = fmt.Fprintf(b.out, "%-7s %-28s %5.0f s %5.0f s  %s\n", r.verdict, r.name, r.took.Seconds(), r.cpu.Seconds(), r.why)
		cpu += r.cpu
		switch r.verdict {
		case "ok":
			passed++
		case "skip":
			skipped++
		default:
			failed++
		}
	}
	_, _ = fmt.Fprintf(b.out, "%-7s %-28s %5.0f s %5.0f s\n\n", "", "all", time.Since(b.began).Seconds(), cpu.Seconds())
	_, _ = fmt.Fprintf(b.out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0 && passed > 0
}
