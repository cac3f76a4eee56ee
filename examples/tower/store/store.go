// Package store keeps the example Tower's state in SQLite: users, their login
// sessions, jobs, and the output lines of jobs (the job events).
//
// A Store may be used concurrently. ErrNotFound is returned for what is not
// there, and for what is there but is not the user's, so that nobody learns of
// other users' jobs by asking.
package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver, pure Go
)

// ErrNotFound says that there is no such thing, or not for this user.
var ErrNotFound = errors.New("not found")

// Store is the example's database.
type Store struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS users (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt TEXT NOT NULL,
	password TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS sessions (
	token TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users(id), created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
	id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL REFERENCES users(id),
	template TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS events (
	job INTEGER NOT NULL REFERENCES jobs(id), counter INTEGER NOT NULL,
	stdout TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (job, counter)) WITHOUT ROWID;
`

// Open opens or creates the database at path; ":memory:" keeps it in memory.
// Jobs that an earlier process left running are marked as failed.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // one writer; and ":memory:" is one database per connection
	for _, q := range []string{"PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=5000", schema,
		"UPDATE jobs SET status='error' WHERE status IN ('pending','running')"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
		}
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

func now() int64 { return time.Now().UnixMilli() }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func hashed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
