package runner

import (
	"context"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/store"
)

// Bounds of a schedule's interval, and of the number of a user's schedules.
const (
	MinEvery     = 5 * time.Second
	MaxEvery     = 24 * time.Hour
	MaxSchedules = 20
)

// retryAfter is the pause after the database could not be asked what is due.
const retryAfter = time.Second

// Schedules launches jobs on schedule, and tells of each change of a schedule.
// Its methods may be called concurrently.
type Schedules struct {
	store   *store.Store
	launch  func(ctx context.Context, owner int64, template string) (store.Job, error)
	running func(job int64) bool
	notify  func(ctx context.Context, group string, payload map[string]any)
	log     *zap.Logger
	changed chan struct{} // holds one mark: what is due next may be another
}

// Schedules returns what launches this runner's jobs on schedule, while Run runs.
func (r *Runner) Schedules() *Schedules {
	return &Schedules{
		store: r.store, launch: r.Launch, running: r.Running, notify: r.notify, log: r.log,
		changed: make(chan struct{}, 1),
	}
}

// Run launches jobs when they are due, until ctx ends.
func (s *Schedules) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := time.NewTimer(s.due(ctx))
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// due launches what is due and returns how long to wait for the next.
func (s *Schedules) due(ctx context.Context) time.Duration {
	due, next, err := s.store.DueSchedules(ctx, time.Now().UnixMilli())
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("schedules were not looked up", zap.Error(err))
		}
		return retryAfter
	}
	for _, c := range due {
		var job int64
		if s.running(c.Job) {
			s.log.Info("a schedule's last job still runs: it waits for the next turn", zap.Int64("schedule", c.ID), zap.Int64("job", c.Job))
		} else if launched, err := s.launch(ctx, c.Owner, c.Template); err != nil {
			s.log.Error("a schedule's job was not launched", zap.Int64("schedule", c.ID), zap.Error(err))
		} else {
			job = launched.ID
		}
		if err := s.store.ScheduleRan(context.WithoutCancel(ctx), c.ID, job); err != nil {
			s.log.Error("a schedule's run was not stored", zap.Int64("schedule", c.ID), zap.Error(err))
			return retryAfter
		}
	}
	switch {
	case len(due) > 0:
		return 0 // they have new times
	case next == 0:
		return MaxEvery
	default:
		return max(0, time.Until(time.UnixMilli(next)))
	}
}

// Create adds a schedule. Its error is ErrNoTemplate or the store's.
func (s *Schedules) Create(ctx context.Context, owner int64, template string, every time.Duration) (store.Schedule, error) {
	if _, ok := Find(template); !ok {
		return store.Schedule{}, ErrNoTemplate
	}
	c, err := s.store.CreateSchedule(ctx, owner, template, int64(every/time.Second), MaxSchedules)
	if err != nil {
		return store.Schedule{}, err
	}
	s.tell(ctx, c.ID)
	return c, nil
}

// Enable turns a schedule on or off.
func (s *Schedules) Enable(ctx context.Context, id int64, on bool) error {
	err := s.store.EnableSchedule(ctx, id, on)
	if err == nil {
		s.tell(ctx, id)
	}
	return err
}

// Delete removes a schedule. A job that it has launched goes on.
func (s *Schedules) Delete(ctx context.Context, id int64) error {
	err := s.store.DeleteSchedule(ctx, id)
	if err == nil {
		s.tell(ctx, id)
	}
	return err
}

func (s *Schedules) tell(ctx context.Context, id int64) {
	select {
	case s.changed <- struct{}{}:
	default: // it is marked already
	}
	// The change is made, whether who asked for it waits or not.
	s.notify(context.WithoutCancel(ctx), "schedules-changed", map[string]any{"group_name": "schedules", "id": id})
}
