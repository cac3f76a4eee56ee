// Package runner runs jobs: real commands, whose output becomes events, once or
// on a schedule. What happens is stored first and emitted after, so that a page
// that is told of something can always load it.
package runner

import (
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
	active  map[int64]int // jobs of each owner that are pending or running
	all     int
}

// Bounds on the jobs that are pending or running.
const (
	MaxJobsOfUser = 10
	maxJobs       = 100
)

// ErrTooMany says that the user, or all together, have as many jobs running as may be.
var ErrTooMany = errors.New("too many jobs run")

// maxJobTime bounds a job.
const maxJobTime = 10 * time.Minute

// New returns a Runner.
func New(s *store.Store, emit Emit, log *zap.Logger) *Runner {
	ctx, cancel := context.WithCancel(context.Background())
	return &Runner{store: s, emit: emit, log: log, ctx: ctx, cancel: cancel, running: map[int64]context.CancelFunc{}, active: map[int64]int{}}
}

// Stop cancels all jobs and waits for them.
func (r *Runner) Stop() {
	r.cancel()
	r.jobs.Wait()
}

// Recover ends the jobs that an earlier process left pending or running, with
// the status "error", and tells the pages that still show them as running. Call
// it before the first Launch.
func (r *Runner) Recover(ctx context.Context) error {
	left, err := r.store.Interrupted(ctx)
	if err != nil {
		return err
	}
	for _, job := range left {
		r.log.Warn("job was interrupted by the end of an earlier process", zap.Int64("job", job))
		r.end(ctx, job, "error")
	}
	return nil
}

// take counts a job before it is stored, and reports false where there are too
// many.
func (r *Runner) take(owner int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active[owner] >= MaxJobsOfUser || r.all >= maxJobs {
		return false
	}
	r.active[owner]++
	r.all++
	return true
}

func (r *Runner) leaveLocked(owner int64) {
	r.all--
	if r.active[owner]--; r.active[owner] == 0 {
		delete(r.active, owner)
	}
}

// Launch stores a job and starts it. ErrTooMany: one has to end first.
func (r *Runner) Launch(ctx context.Context, owner int64, template string) (store.Job, error) {
	t, ok := Find(template)
	if !ok {
		return store.Job{}, fmt.Errorf("%w: %q", ErrNoTemplate, template)
	}
	if !r.take(owner) {
		return store.Job{}, ErrTooMany
	}
	job, err := r.store.CreateJob(ctx, owner, template)
	if err != nil {
		r.mu.Lock()
		r.leaveLocked(owner)
		r.mu.Unlock()
		return store.Job{}, err
	}
	jobCtx, cancel := context.WithTimeout(r.ctx, maxJobTime)
	r.mu.Lock()
	r.running[job.ID] = cancel
	r.mu.Unlock()
	r.status(context.WithoutCancel(ctx), job.ID, "pending") // it runs, whether who asked for it waits or not
	r.jobs.Go(func() { r.run(jobCtx, owner, job.ID, t) })
	return job, nil
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

// Running reports whether the job was launched and has not ended.
func (r *Runner) Running(job int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[job] != nil
}

func (r *Runner) run(ctx context.Context, owner, job int64, t Template) {
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
	r.end(after, job, final)
	r.mu.Lock()
	r.running[job]()
	delete(r.running, job)
	r.leaveLocked(owner)
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
	counter, after := 0, context.WithoutCancel(ctx)
	err := pieces(out, func(text string) error {
		counter++
		return r.output(after, job, counter, text)
	})
	_ = out.CloseWithError(err) // who still writes is told
	return errors.Join(err, <-ended)
}

func (r *Runner) output(ctx context.Context, job int64, counter int, text string) error {
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

// end gives a job its final status; from then on it is counted as ended.
func (r *Runner) end(ctx context.Context, job int64, final string) {
	r.status(ctx, job, final)
	r.notify(ctx, "jobs-summary", map[string]any{"group_name": "jobs", "unified_job_id": job})
}

func (r *Runner) notify(ctx context.Context, group string, payload map[string]any) {
	body, err := json.Marshal(payload)
	if err != nil {
		r.log.Error("payload was not encoded", zap.String("group", group), zap.Error(err))
		return
	}
	r.emit(ctx, group, body)
}
