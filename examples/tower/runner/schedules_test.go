package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/store"
)

// clock is Schedules in a bubble, with jobs that only pretend to run.
type clock struct {
	t *testing.T
	*Schedules
	user  int64
	start time.Time

	mu       sync.Mutex
	launched []time.Duration // since start
	busy     bool            // the last job still runs
	refuse   error           // what a launch answers
}

// inBubble runs do while the schedules run.
func inBubble(t *testing.T, do func(c *clock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, user := newStore(t, ":memory:")
		c := &clock{t: t, user: user, start: time.Now()}
		c.Schedules = &Schedules{
			store: db, log: zap.NewNop(), changed: make(chan struct{}, 1),
			notify: func(context.Context, string, map[string]any) {},
			running: func(job int64) bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return job > 0 && c.busy
			},
			launch: func(ctx context.Context, owner int64, template string) (store.Job, error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.refuse != nil {
					return store.Job{}, c.refuse
				}
				c.launched = append(c.launched, time.Since(c.start))
				return db.CreateJob(ctx, owner, template)
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(ctx); close(ended) }()
		do(c)
		cancel()
		<-ended
	})
}

func (c *clock) set(busy bool, refuse error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy, c.refuse = busy, refuse
}

func (c *clock) create(every time.Duration) int64 {
	c.t.Helper()
	made, err := c.Create(c.t.Context(), c.user, "fail", every)
	if err != nil {
		c.t.Fatal(err)
	}
	return made.ID
}

// pass lets time pass, and the schedules act on it.
func (c *clock) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (c *clock) want(seconds ...int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var want []time.Duration
	for _, s := range seconds {
		want = append(want, time.Duration(s)*time.Second)
	}
	if !slices.Equal(c.launched, want) {
		c.t.Errorf("launched at %v, want %v", c.launched, want)
	}
}

func TestSchedulesLaunchWhenDue(t *testing.T) {
	inBubble(t, func(c *clock) {
		c.create(10 * time.Second)
		c.pass(35 * time.Second)
		c.want(10, 20, 30)
		c.create(5 * time.Second) // sooner than what is waited for
		c.pass(7 * time.Second)
		c.want(10, 20, 30, 40, 40)
	})
}

func TestADisabledOrDeletedScheduleLaunchesNothing(t *testing.T) {
	inBubble(t, func(c *clock) {
		id := c.create(10 * time.Second)
		c.pass(15 * time.Second)
		if err := c.Enable(c.t.Context(), id, false); err != nil {
			c.t.Fatal(err)
		}
		c.pass(100 * time.Second)
		c.want(10)
		if err := c.Enable(c.t.Context(), id, true); err != nil {
			c.t.Fatal(err)
		}
		c.pass(12 * time.Second) // at 115 s: due 10 s later
		c.want(10, 125)
		if err := c.Delete(c.t.Context(), id); err != nil {
			c.t.Fatal(err)
		}
		c.pass(100 * time.Second)
		c.want(10, 125)
	})
}

func TestAScheduleWaitsForItsLastJob(t *testing.T) {
	inBubble(t, func(c *clock) {
		c.create(10 * time.Second)
		c.set(true, nil)
		c.pass(35 * time.Second)
		c.want(10)
		c.set(false, nil)
		c.pass(10 * time.Second)
		c.want(10, 40)
	})
}

func TestAScheduleGoesOnAfterALaunchFailed(t *testing.T) {
	inBubble(t, func(c *clock) {
		c.create(10 * time.Second)
		c.set(false, errors.New("no room"))
		c.pass(25 * time.Second)
		c.set(false, nil)
		c.pass(10 * time.Second)
		c.want(30)
	})
}

// TestMissedTurnsAreNotMadeUpFor runs what was due while no process ran, once.
func TestMissedTurnsAreNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, user := newStore(t, ":memory:")
		if _, err := db.CreateSchedule(t.Context(), user, "fail", 10, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(95 * time.Second)
		launched := 0
		s := &Schedules{
			store: db, log: zap.NewNop(), changed: make(chan struct{}, 1),
			running: func(int64) bool { return false },
			launch: func(ctx context.Context, owner int64, template string) (store.Job, error) {
				launched++
				return db.CreateJob(ctx, owner, template)
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		s.Run(ctx)
		if launched != 2 { // at once, and 10 s later
			t.Errorf("launched %d jobs", launched)
		}
	})
}
