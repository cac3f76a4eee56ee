package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/store"
)

func newStore(t *testing.T, path string) (*store.Store, int64) {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.EnsureUser(t.Context(), "bob", "secret", false); err != nil {
		t.Fatal(err)
	}
	in, _, _, err := db.Login(t.Context(), "bob", "secret", 1)
	if err != nil {
		t.Fatal(err)
	}
	return db, in.User.ID
}

// TestInterruptedJobsEnd is about a process that was killed: the next one ends
// its jobs, with a time, and tells the pages that show them as running.
func TestInterruptedJobsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tower.db")
	killed, user := newStore(t, path)
	var jobs []store.Job
	for _, status := range []string{"pending", "running", "successful"} {
		job, err := killed.CreateJob(t.Context(), user, "count")
		if err != nil {
			t.Fatal(err)
		}
		if err := killed.SetStatus(t.Context(), job.ID, status); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}

	db, _ := newStore(t, path)
	var told []string
	r := New(db, func(_ context.Context, group string, payload []byte) {
		// What is told must be stored already: a page may load it at once.
		var p struct {
			Job    int64  `json:"unified_job_id"`
			Status string `json:"status"`
		}
		if err := json.Unmarshal(payload, &p); err != nil {
			t.Error(err)
		}
		stored, err := db.JobFor(t.Context(), store.User{ID: user}, p.Job)
		if err != nil || stored.Status != "error" || stored.Finished == 0 {
			t.Errorf("told of job %d, which is stored as %+v (%v)", p.Job, stored, err)
		}
		told = append(told, strings.TrimSpace(fmt.Sprint(group, " ", p.Job, " ", p.Status)))
	}, zap.NewNop())
	if err := r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, job := range jobs[:2] {
		want = append(want, fmt.Sprintf("jobs-status_changed %d error", job.ID), fmt.Sprintf("jobs-summary %d", job.ID))
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	done, err := db.JobFor(t.Context(), store.User{ID: user}, jobs[2].ID)
	if err != nil || done.Status != "successful" {
		t.Errorf("the job that had ended is %+v (%v)", done, err)
	}
}

// TestASchedulesJobReallyRuns waits for one turn of the shortest interval.
func TestASchedulesJobReallyRuns(t *testing.T) {
	db, user := newStore(t, ":memory:")
	ended := make(chan int64, 1)
	r := New(db, func(_ context.Context, group string, payload []byte) {
		var p struct {
			Job int64 `json:"unified_job_id"`
		}
		if group != "jobs-summary" {
			return
		}
		if err := json.Unmarshal(payload, &p); err != nil {
			t.Error(err)
		}
		ended <- p.Job
	}, zap.NewNop())
	defer r.Stop()
	schedules := r.Schedules()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { schedules.Run(ctx); close(stopped) }()
	defer func() { cancel(); <-stopped }()
	if _, err := schedules.Create(t.Context(), user, "fail", MinEvery); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-ended:
		job, err := db.JobFor(t.Context(), store.User{ID: user}, id)
		if err != nil || job.Status != "failed" || job.Template != "fail" || job.Owner != user {
			t.Errorf("it launched %+v (%v)", job, err)
		}
	case <-time.After(time.Minute):
		t.Fatal("no job of the schedule has ended")
	}
}

// TestOutputIsStoredWhole runs commands whose output is not plain lines.
func TestOutputIsStoredWhole(t *testing.T) {
	for name, look := range map[string]struct{ script, want string }{
		"a last line without its end": {`printf 'a\nb'`, "a\nb"},
		"a progress bar":              {`printf '\r1%%'; sleep 0.5; printf '\r2%%\n'`, "\r1%\r2%\n"},
		"200,000 bytes in one line":   {`head -c 200000 /dev/zero | tr '\0' x; echo; echo after`, strings.Repeat("x", 200_000) + "\nafter\n"},
	} {
		db, user := newStore(t, ":memory:")
		job, err := db.CreateJob(t.Context(), user, "test")
		if err != nil {
			t.Fatal(err)
		}
		r := New(db, func(context.Context, string, []byte) {}, zap.NewNop())
		if err := r.command(t.Context(), job.ID, shell("test", "", look.script)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		events, err := db.Events(t.Context(), job.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for n, e := range events {
			got.WriteString(e.Stdout)
			if e.Counter != n+1 {
				t.Errorf("%s: event %d has the counter %d", name, n, e.Counter)
			}
		}
		if got.String() != look.want {
			t.Errorf("%s: %d bytes are stored, want %d", name, got.Len(), len(look.want))
		}
		r.Stop()
	}
}
