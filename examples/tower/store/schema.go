package store

import (
	"context"
	"database/sql"
	"fmt"
)

// steps make the schema, one after the other; a database knows how many it has
// behind it (PRAGMA user_version). A step that has been released is not changed:
// another is added.
var steps = []string{
	`CREATE TABLE IF NOT EXISTS users (
		id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt TEXT NOT NULL,
		password TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0);
	CREATE TABLE IF NOT EXISTS sessions (
		token TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id), created INTEGER NOT NULL);
	CREATE TABLE IF NOT EXISTS jobs (
		id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL REFERENCES users(id),
		template TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
	CREATE TABLE IF NOT EXISTS events (
		job INTEGER NOT NULL REFERENCES jobs(id), counter INTEGER NOT NULL,
		stdout TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (job, counter)) WITHOUT ROWID`,

	// Sessions get an id that may be told to others, and remember why they
	// ended; whoever had one logs in again. Output keeps its line breaks.
	`DROP TABLE sessions;
	CREATE TABLE sessions (
		id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, user INTEGER NOT NULL REFERENCES users(id),
		created INTEGER NOT NULL, ended TEXT NOT NULL DEFAULT '');
	UPDATE events SET stdout = stdout || char(10);
	CREATE TABLE schedules (
		id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL REFERENCES users(id),
		template TEXT NOT NULL, every INTEGER NOT NULL, enabled INTEGER NOT NULL,
		due INTEGER NOT NULL, job INTEGER NOT NULL DEFAULT 0)`,
}

// migrate brings the database to the newest schema.
func (s *Store) migrate(ctx context.Context) error {
	var done int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&done); err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if done > len(steps) {
		return fmt.Errorf("it was made by a newer tower (schema %d, this one knows %d): run that one, or name another file", done, len(steps))
	}
	for ; done < len(steps); done++ {
		err := s.inTx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, steps[done]); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version=%d", done+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("bring the schema from %d to %d: %w", done, done+1, err)
		}
	}
	return nil
}
