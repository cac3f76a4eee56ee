package store

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
)

// User is an account.
type User struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Admin bool   `json:"admin"` // sees every job
}

// passwordRounds makes guessing a password slow (PBKDF2, RFC 8018).
const passwordRounds = 20_000

func derive(password, salt string) string {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), passwordRounds, 32)
	if err != nil {
		panic(err) // only for parameters that cannot occur
	}
	return hex.EncodeToString(key)
}

// EnsureUser creates the user unless the name is taken.
func (s *Store) EnsureUser(ctx context.Context, name, password string, admin bool) error {
	salt := randomHex(16)
	_, err := s.db.ExecContext(ctx,
		"INSERT INTO users(name, salt, password, admin) VALUES(?,?,?,?) ON CONFLICT(name) DO NOTHING",
		name, salt, derive(password, salt), admin)
	if err != nil {
		return fmt.Errorf("create user %s: %w", name, err)
	}
	return nil
}

// Login opens a session and returns its token, and the number of older sessions
// of the user beyond the limit, which it ends.
func (s *Store) Login(ctx context.Context, name, password string, limit int) (u User, token string, ended int64, err error) {
	var salt, want string
	err = s.db.QueryRowContext(ctx, "SELECT id, name, admin, salt, password FROM users WHERE name=?", name).
		Scan(&u.ID, &u.Name, &u.Admin, &salt, &want)
	if errors.Is(err, sql.ErrNoRows) {
		salt, want = "none", "" // an unknown name takes as long as a wrong password
	} else if err != nil {
		return User{}, "", 0, fmt.Errorf("look up user: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(derive(password, salt)), []byte(want)) != 1 {
		return User{}, "", 0, ErrNotFound
	}
	token = randomHex(24)
	if _, err = s.db.ExecContext(ctx, "INSERT INTO sessions(token, user, created) VALUES(?,?,?)", hashed(token), u.ID, now()); err != nil {
		return User{}, "", 0, fmt.Errorf("open session: %w", err)
	}
	done, err := s.db.ExecContext(ctx, `DELETE FROM sessions WHERE user=? AND token NOT IN
		(SELECT token FROM sessions WHERE user=? ORDER BY created DESC, rowid DESC LIMIT ?)`, u.ID, u.ID, limit)
	if err != nil {
		return User{}, "", 0, fmt.Errorf("end older sessions: %w", err)
	}
	ended, err = done.RowsAffected()
	return u, token, ended, err
}

// Session returns the user of a session's token.
func (s *Store) Session(ctx context.Context, token string) (User, error) {
	var u User
	err := s.db.QueryRowContext(ctx,
		"SELECT u.id, u.name, u.admin FROM sessions s JOIN users u ON u.id=s.user WHERE s.token=?", hashed(token)).
		Scan(&u.ID, &u.Name, &u.Admin)
	return u, notFound(err, "look up session")
}

// Logout ends a session; one that is not there is no error.
func (s *Store) Logout(ctx context.Context, token string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM sessions WHERE token=?", hashed(token))
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// UserByID returns an account.
func (s *Store) UserByID(ctx context.Context, id int64) (User, error) {
	var u User
	err := s.db.QueryRowContext(ctx, "SELECT id, name, admin FROM users WHERE id=?", id).Scan(&u.ID, &u.Name, &u.Admin)
	return u, notFound(err, "look up user")
}

func notFound(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
