package store

import (
	"context"
	"errors"
	"fmt"
)

// Schedule launches a template again and again.
type Schedule struct {
	ID       int64  `json:"id"`
	Owner    int64  `json:"owner"`
	By       string `json:"by"`
	Template string `json:"template"`
	Every    int64  `json:"every"` // seconds
	Enabled  bool   `json:"enabled"`
	Job      int64  `json:"-"` // the last that it launched, or 0
}

// CreateSchedule adds an enabled schedule, which is due for the first time
// after every seconds. It refuses a user's schedule beyond limit with ErrLimit.
func (s *Store) CreateSchedule(ctx context.Context, owner int64, template string, every int64, limit int) (Schedule, error) {
	done, err := s.db.ExecContext(ctx, `INSERT INTO schedules(owner, template, every, enabled, due)
		SELECT ?,?,?,1,? WHERE (SELECT COUNT(*) FROM schedules WHERE owner=?) < ?`,
		owner, template, every, now()+every*1000, owner, limit)
	if err != nil {
		return Schedule{}, fmt.Errorf("create schedule: %w", err)
	}
	if n, err := done.RowsAffected(); err == nil && n == 0 {
		return Schedule{}, ErrLimit
	}
	id, err := done.LastInsertId()
	if err != nil {
		return Schedule{}, fmt.Errorf("create schedule: %w", err)
	}
	return s.schedule(ctx, id)
}

// ErrLimit says that the user has as many as are allowed.
var ErrLimit = errors.New("there are as many as are allowed")

// EnableSchedule turns a schedule on, due after its interval, or off.
func (s *Store) EnableSchedule(ctx context.Context, id int64, on bool) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE schedules SET enabled=?, due=?+every*1000 WHERE id=?", on, now(), id); err != nil {
		return fmt.Errorf("change schedule %d: %w", id, err)
	}
	return nil
}

// DeleteSchedule removes a schedule; its jobs stay.
func (s *Store) DeleteSchedule(ctx context.Context, id int64) error {
	if _, err := s.db.ExecContext(ctx, "DELETE FROM schedules WHERE id=?", id); err != nil {
		return fmt.Errorf("delete schedule %d: %w", id, err)
	}
	return nil
}

const scheduleColumns = `SELECT s.id, s.owner, u.name, s.template, s.every, s.enabled, s.job
	FROM schedules s JOIN users u ON u.id=s.owner `

func (s *Store) schedule(ctx context.Context, id int64) (Schedule, error) {
	all, err := s.schedules(ctx, "WHERE s.id=?", id)
	if err == nil && len(all) == 0 {
		return Schedule{}, ErrNotFound
	}
	if err != nil {
		return Schedule{}, err
	}
	return all[0], nil
}

func (s *Store) schedules(ctx context.Context, where string, args ...any) (all []Schedule, err error) {
	rows, err := s.db.QueryContext(ctx, scheduleColumns+where, args...)
	if err != nil {
		return nil, fmt.Errorf("look up schedules: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all = []Schedule{}
	for rows.Next() {
		var c Schedule
		if err := rows.Scan(&c.ID, &c.Owner, &c.By, &c.Template, &c.Every, &c.Enabled, &c.Job); err != nil {
			return nil, fmt.Errorf("look up schedules: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// ScheduleFor returns a schedule that the user may see and change.
func (s *Store) ScheduleFor(ctx context.Context, u User, id int64) (Schedule, error) {
	c, err := s.schedule(ctx, id)
	if err == nil && !u.Admin && c.Owner != u.ID {
		return Schedule{}, ErrNotFound
	}
	return c, err
}

// SchedulesFor lists the schedules that the user may see, oldest first.
func (s *Store) SchedulesFor(ctx context.Context, u User) ([]Schedule, error) {
	return s.schedules(ctx, "WHERE ? OR s.owner=? ORDER BY s.id", u.Admin, u.ID)
}

// DueSchedules lists the enabled schedules that are due at a time in unix
// milliseconds, and the time when the next of the others is; 0 is never.
func (s *Store) DueSchedules(ctx context.Context, at int64) (due []Schedule, next int64, err error) {
	due, err = s.schedules(ctx, "WHERE s.enabled AND s.due<=? ORDER BY s.due, s.id", at)
	if err != nil {
		return nil, 0, err
	}
	err = s.db.QueryRowContext(ctx, "SELECT COALESCE(MIN(due), 0) FROM schedules WHERE enabled AND due>?", at).Scan(&next)
	if err != nil {
		return nil, 0, fmt.Errorf("look up the next schedule: %w", err)
	}
	return due, next, nil
}

// ScheduleRan notes the job that a schedule launched, 0 for none, and makes it
// due again after its interval. Intervals that were missed are not made up for.
func (s *Store) ScheduleRan(ctx context.Context, id, job int64) error {
	_, err := s.db.ExecContext(ctx, `UPDATE schedules SET job=MAX(job, ?1),
		due=every*1000 + CASE WHEN due+every*1000 > ?2 THEN due ELSE ?2 END WHERE id=?3`, job, now(), id)
	if err != nil {
		return fmt.Errorf("note the run of schedule %d: %w", id, err)
	}
	return nil
}
