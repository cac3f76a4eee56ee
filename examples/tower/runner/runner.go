// Package runner runs jobs: real commands, whose output lines become events.
// What happens is stored first and emitted after, so that a page that is told
// of a line can always load it.
package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/store"
)

// Template is a command that may be launched.
type Template struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Command []string `json:"command"`
}

// Templates are the commands on offer. Nothing that a user types reaches a shell.
var Templates = []Template{
	{"count", "Count slowly to sixty", []string{"sh", "-c", "i=1; while [ $i -le 60 ]; do echo \"line $i of 60\"; i=$((i+1)); sleep 0.25; done"}},
	{"machine", "What machine is this?", []string{"sh", "-c", "uname -a; echo; cat /etc/os-release; echo; df -h /; echo; cat /proc/loadavg"}},
	{"primes", "Primes below two thousand", []string{"sh", "-c", "n=2; while [ $n -lt 2000 ]; do f=$(factor $n); [ \"$f\" = \"$n: $n\" ] && echo $n; n=$((n+1)); done"}},
	{"fail", "A job that fails", []string{"sh", "-c", "echo working; sleep 1; echo 'cannot go on' >&2; exit 3"}},
}

// ErrNoTemplate says that there is no such template.
var ErrNoTemplate = errors.New("no such template")

// Emit sends one payload to a group. It must not block for long and reports
// nothing: a job goes on whatever becomes of its notifications.
type Emit func(ctx context.Context, group string, payload []byte)

// Runner runs jobs. Its methods may be called concurrently.
type Runner struct {
	store  *store.Store
	emit   Emit
	log    *zap.Logger
	ctx    context.Context // ends the commands
	cancel context.CancelFunc
	jobs   sync.WaitGroup

	mu      sync.Mutex
	running map[int64]context.CancelFunc
}

// maxJobTime bounds a job.
const maxJobTime = 10 * time.Minute

// maxLine bounds an output line in bytes; a longer one ends the job's output.
const maxLine = 64 << 10

// New returns a Runner.
func New(s *store.Store, emit Emit, log *zap.Logger) *Runner {
	ctx, cancel := context.WithCancel(context.Background())
	return &Runner{store: s, emit: emit, log: log, ctx: ctx, cancel: cancel, running: map[int64]context.CancelFunc{}}
}

// Stop cancels all jobs and waits for them.
func (r *Runner) Stop() {
	r.cancel()
	r.jobs.Wait()
}

// Launch stores a job and starts it.
func (r *Runner) Launch(ctx context.Context, owner int64, template string) (store.Job, error) {
	for _, t := range Templates {
		if t.Name != template {
			continue
		}
		job, err := r.store.CreateJob(ctx, owner, template)
		if err != nil {
			return store.Job{}, err
		}
		jobCtx, cancel := context.WithTimeout(r.ctx, maxJobTime)
		r.mu.Lock()
		r.running[job.ID] = cancel
		r.mu.Unlock()
		r.status(ctx, job.ID, "pending")
		r.jobs.Go(func() { r.run(jobCtx, job.ID, t) })
		return job, nil
	}
	return store.Job{}, fmt.Errorf("%w: %q", ErrNoTemplate, template)
}

// Cancel ends a running job; one that is not running is left alone.
func (r *Runner) Cancel(job int64) {
	r.mu.Lock()
	cancel := r.running[job]
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (r *Runner) run(ctx context.Context, job int64, t Template) {
	// What is stored and emitted at the end must go through although ctx ended.
	after := context.WithoutCancel(ctx)
	r.status(after, job, "running")
	err := r.command(ctx, job, t)
	final := "successful"
	switch exit := new(exec.ExitError); {
	case ctx.Err() != nil:
		final = "canceled"
	case errors.As(err, &exit):
		final = "failed"
	case err != nil:
		final = "error"
		r.log.Warn("job ended with an error", zap.Int64("job", job), zap.Error(err))
	}
	r.status(after, job, final)
	r.notify(after, "jobs-summary", map[string]any{"group_name": "jobs", "unified_job_id": job})
	r.mu.Lock()
	r.running[job]()
	delete(r.running, job)
	r.mu.Unlock()
}

// command runs the template's command; its output and errors are one stream.
func (r *Runner) command(ctx context.Context, job int64, t Template) error {
	cmd := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...)
	cmd.WaitDelay = time.Second
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", t.Name, err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		_ = in.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	after := context.WithoutCancel(ctx)
	for counter := 1; lines.Scan(); counter++ {
		if err := r.line(after, job, counter, lines.Text()); err != nil {
			_ = out.CloseWithError(err)
			return errors.Join(err, <-ended)
		}
	}
	_ = out.CloseWithError(lines.Err())
	return errors.Join(lines.Err(), <-ended)
}

func (r *Runner) line(ctx context.Context, job int64, counter int, text string) error {
	e, err := r.store.AddEvent(ctx, job, counter, text)
	if err != nil {
		return err
	}
	r.notify(ctx, "job_events-"+strconv.FormatInt(job, 10), map[string]any{
		"group_name": "job_events", "job": e.Job, "counter": e.Counter,
		"event": "verbose", "stdout": e.Stdout, "created": time.UnixMilli(e.Created).UTC().Format(time.RFC3339Nano),
	})
	return nil
}

func (r *Runner) status(ctx context.Context, job int64, status string) {
	if err := r.store.SetStatus(ctx, job, status); err != nil {
		r.log.Error("job status was not stored", zap.Int64("job", job), zap.Error(err))
	}
	r.notify(ctx, "jobs-status_changed", map[string]any{
		"group_name": "jobs", "unified_job_id": job, "status": status, "instance_group_name": "tower",
	})
}

func (r *Runner) notify(ctx context.Context, group string, payload map[string]any) {
	body, err := json.Marshal(payload)
	if err != nil {
		r.log.Error("payload was not encoded", zap.String("group", group), zap.Error(err))
		return
	}
	r.emit(ctx, group, body)
}
