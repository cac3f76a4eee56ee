package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Job is one run of a template.
type Job struct {
	ID       int64  `json:"id"`
	Owner    int64  `json:"owner"`
	By       string `json:"by"`
	Template string `json:"template"`
	Status   string `json:"status"`             // pending, running, successful, failed, canceled, error
	Created  int64  `json:"created"`            // unix milliseconds
	Finished int64  `json:"finished,omitempty"` // unix milliseconds
}

// Event is a piece of a job's output: a line with its line break, or a part of
// one. Counters start at 1 and have no hole.
type Event struct {
	Job     int64  `json:"job"`
	Counter int    `json:"counter"`
	Stdout  string `json:"stdout"`
	Created int64  `json:"created"` // unix milliseconds
}

// keptJobs is how many jobs of a user are kept: a schedule launches jobs for
// as long as it is there.
const keptJobs = 1000

// CreateJob adds a pending job, and forgets the owner's oldest ended ones.
func (s *Store) CreateJob(ctx context.Context, owner int64, template string) (Job, error) {
	var id int64
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "INSERT INTO jobs(owner, template, status, created) VALUES(?,?,'pending',?) RETURNING id",
			owner, template, now()).Scan(&id)
		if err != nil {
			return err
		}
		const old = "SELECT id FROM jobs WHERE owner=? AND finished>0 ORDER BY id DESC LIMIT -1 OFFSET ?"
		if _, err := tx.ExecContext(ctx, "DELETE FROM events WHERE job IN ("+old+")", owner, keptJobs); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM jobs WHERE id IN ("+old+")", owner, keptJobs)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("create job: %w", err)
	}
	return s.job(ctx, id)
}

// Interrupted lists the jobs that are pending or running in the database. A
// process that has just started runs none of them: an earlier one did, and was
// ended before them.
func (s *Store) Interrupted(ctx context.Context) ([]int64, error) {
	ids, err := column[int64](s.db.QueryContext(ctx, "SELECT id FROM jobs WHERE status IN ('pending','running') ORDER BY id"))
	if err != nil {
		return nil, fmt.Errorf("list interrupted jobs: %w", err)
	}
	return ids, nil
}

// SetStatus moves a job on; a final status sets the time of its end.
func (s *Store) SetStatus(ctx context.Context, id int64, status string) error {
	finished := int64(0)
	if status != "pending" && status != "running" {
		finished = now()
	}
	if _, err := s.db.ExecContext(ctx, "UPDATE jobs SET status=?, finished=? WHERE id=?", status, finished, id); err != nil {
		return fmt.Errorf("set status of job %d: %w", id, err)
	}
	return nil
}

const jobColumns = `SELECT j.id, j.owner, u.name, j.template, j.status, j.created, j.finished
	FROM jobs j JOIN users u ON u.id=j.owner `

func (s *Store) job(ctx context.Context, id int64) (Job, error) {
	var j Job
	err := s.db.QueryRowContext(ctx, jobColumns+"WHERE j.id=?", id).
		Scan(&j.ID, &j.Owner, &j.By, &j.Template, &j.Status, &j.Created, &j.Finished)
	return j, notFound(err, "look up job")
}

// JobFor returns a job that the user may see.
func (s *Store) JobFor(ctx context.Context, u User, id int64) (Job, error) {
	j, err := s.job(ctx, id)
	if err == nil && !u.Admin && j.Owner != u.ID {
		return Job{}, ErrNotFound
	}
	return j, err
}

// JobsFor lists the newest jobs that the user may see, at most 50.
func (s *Store) JobsFor(ctx context.Context, u User) (jobs []Job, err error) {
	rows, err := s.db.QueryContext(ctx, jobColumns+"WHERE ? OR j.owner=? ORDER BY j.id DESC LIMIT 50", u.Admin, u.ID)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	jobs = []Job{}
	for rows.Next() {
		var j Job
		if err := rows.Scan(&j.ID, &j.Owner, &j.By, &j.Template, &j.Status, &j.Created, &j.Finished); err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		jobs = append(jobs, j)
	}
	return jobs, rows.Err()
}

// Summary counts the jobs that the user may see, by status.
func (s *Store) Summary(ctx context.Context, u User) (counts map[string]int, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT status, COUNT(*) FROM jobs WHERE ? OR owner=? GROUP BY status", u.Admin, u.ID)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	counts = map[string]int{}
	for rows.Next() {
		var (
			status string
			n      int
		)
		if err := rows.Scan(&status, &n); err != nil {
			return nil, fmt.Errorf("count jobs: %w", err)
		}
		counts[status] = n
	}
	return counts, rows.Err()
}

// AddEvent stores a piece of output.
func (s *Store) AddEvent(ctx context.Context, job int64, counter int, stdout string) (Event, error) {
	e := Event{Job: job, Counter: counter, Stdout: stdout, Created: now()}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO events(job, counter, stdout, created) VALUES(?,?,?,?)",
		e.Job, e.Counter, e.Stdout, e.Created); err != nil {
		return Event{}, fmt.Errorf("store event %d of job %d: %w", counter, job, err)
	}
	return e, nil
}

// Events lists a job's events with a counter above after, at most 1,000.
func (s *Store) Events(ctx context.Context, job int64, after int) (events []Event, err error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT job, counter, stdout, created FROM events WHERE job=? AND counter>? ORDER BY counter LIMIT 1000", job, after)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	events = []Event{}
	for rows.Next() {
		var e Event
		if err := rows.Scan(&e.Job, &e.Counter, &e.Stdout, &e.Created); err != nil {
			return nil, fmt.Errorf("list events: %w", err)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
