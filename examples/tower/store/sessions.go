package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
)

// Session is one login. Its ID may be told to others, as in a token for the
// websocket; what the cookie holds is another secret, of which only a hash is
// stored.
type Session struct {
	ID   string
	User User
}

// Why a session has ended.
const (
	EndedLogout = "logged_out"
	EndedLimit  = "limit_reached" // newer logins of the same user
)

// EndedError is the answer about a session that was there and has ended.
type EndedError struct{ Reason string }

func (e *EndedError) Error() string { return "the session has ended: " + e.Reason }

// keptEnded is how many ended sessions of a user are remembered, so that their
// pages can be told why. Older ones are forgotten.
const keptEnded = 50

// Login opens a session and returns the secret for its cookie, and the ids of
// the user's older sessions beyond the limit, which it ends.
func (s *Store) Login(ctx context.Context, name, password string, limit int) (in Session, token string, ended []string, err error) {
	var salt, want string
	err = s.db.QueryRowContext(ctx, "SELECT id, name, admin, salt, password FROM users WHERE name=?", name).
		Scan(&in.User.ID, &in.User.Name, &in.User.Admin, &salt, &want)
	if errors.Is(err, sql.ErrNoRows) {
		salt, want = "none", "" // an unknown name takes as long as a wrong password
	} else if err != nil {
		return Session{}, "", nil, fmt.Errorf("look up user: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(derive(password, salt)), []byte(want)) != 1 {
		return Session{}, "", nil, ErrNotFound
	}
	in.ID, token = randomHex(16), randomHex(24)
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions(id, token, user, created) VALUES(?,?,?,?)", in.ID, hashed(token), in.User.ID, now())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE user=? AND ended<>'' AND id NOT IN
			(SELECT id FROM sessions WHERE user=? AND ended<>'' ORDER BY created DESC, rowid DESC LIMIT ?)`, in.User.ID, in.User.ID, keptEnded)
		if err != nil {
			return err
		}
		ended, err = column[string](tx.QueryContext(ctx, `UPDATE sessions SET ended=? WHERE user=? AND ended='' AND id NOT IN
			(SELECT id FROM sessions WHERE user=? AND ended='' ORDER BY created DESC, rowid DESC LIMIT ?) RETURNING id`,
			EndedLimit, in.User.ID, in.User.ID, limit))
		return err
	})
	if err != nil {
		return Session{}, "", nil, fmt.Errorf("open session: %w", err)
	}
	return in, token, ended, nil
}

// Session returns the session whose cookie holds token: ErrNotFound when there
// is none, an *EndedError when it has ended.
func (s *Store) Session(ctx context.Context, token string) (Session, error) {
	var (
		of    Session
		ended string
	)
	err := s.db.QueryRowContext(ctx,
		"SELECT s.id, s.ended, u.id, u.name, u.admin FROM sessions s JOIN users u ON u.id=s.user WHERE s.token=?", hashed(token)).
		Scan(&of.ID, &ended, &of.User.ID, &of.User.Name, &of.User.Admin)
	if err == nil && ended != "" {
		return Session{}, &EndedError{ended}
	}
	return of, notFound(err, "look up session")
}

// Logout ends a session. One that has ended already is left alone.
func (s *Store) Logout(ctx context.Context, id string) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE sessions SET ended=? WHERE id=? AND ended=''", EndedLogout, id); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// column reads a result of one column.
func column[T any](rows *sql.Rows, err error) (values []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has said what went wrong
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}
