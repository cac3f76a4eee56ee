package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *Store) must(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// TestAnOlderDatabaseIsBroughtUp opens what the first schema, which did not
// count its version, has left.
func TestAnOlderDatabaseIsBroughtUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tower.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	old := &Store{db: db}
	old.must(t, steps[0])
	if err := old.EnsureUser(t.Context(), "bob", "secret", false); err != nil {
		t.Fatal(err)
	}
	old.must(t, "INSERT INTO sessions(token, user, created) VALUES('x', 1, 1)")
	old.must(t, "INSERT INTO jobs(owner, template, status, created) VALUES(1, 'count', 'running', 1)")
	old.must(t, "INSERT INTO events(job, counter, stdout, created) VALUES(1, 1, 'line 1 of 60', 1)")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	for range 2 { // the second time, it is up to date
		s := open(t, path)
		events, err := s.Events(t.Context(), 1, 0)
		if err != nil || len(events) != 1 || events[0].Stdout != "line 1 of 60\n" {
			t.Errorf("the output is %+v (%v)", events, err)
		}
		if left, err := s.Interrupted(t.Context()); err != nil || len(left) != 1 {
			t.Errorf("interrupted are %v (%v)", left, err)
		}
		if _, _, _, err := s.Login(t.Context(), "bob", "secret", 2); err != nil {
			t.Error(err)
		}
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tower.db")
	open(t, path).must(t, "PRAGMA user_version=1000")
	s, err := Open(t.Context(), path)
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), "newer tower") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheOldestEndedJobsAreForgotten(t *testing.T) {
	s := open(t, ":memory:")
	bob := s.user(t, "bob")
	s.must(t, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO jobs(owner, template, status, created, finished) SELECT ?, 'fail', 'failed', i, i FROM n`, keptJobs+5, bob.ID)
	s.must(t, "INSERT INTO events(job, counter, stdout, created) SELECT id, 1, 'x', 1 FROM jobs")
	s.must(t, "UPDATE jobs SET status='running', finished=0 WHERE id=1")
	if _, err := s.CreateJob(t.Context(), bob.ID, "fail"); err != nil {
		t.Fatal(err)
	}
	counts, err := s.Summary(t.Context(), bob)
	if want := fmt.Sprintf("map[failed:%d pending:1 running:1]", keptJobs); err != nil || fmt.Sprint(counts) != want {
		t.Errorf("left are %v (%v), want %s", counts, err, want)
	}
	for job, want := range map[int64]int{1: 1, 2: 0, 5: 0, 6: 1} { // 1 runs, 2 to 5 are the oldest that have ended
		if events, err := s.Events(t.Context(), job, 0); err != nil || len(events) != want {
			t.Errorf("job %d has %d events (%v), want %d", job, len(events), err, want)
		}
	}
}

func (s *Store) user(t *testing.T, name string) User {
	t.Helper()
	if err := s.EnsureUser(t.Context(), name, "secret", false); err != nil {
		t.Fatal(err)
	}
	in, _, _, err := s.Login(t.Context(), name, "secret", 1)
	if err != nil {
		t.Fatal(err)
	}
	return in.User
}
