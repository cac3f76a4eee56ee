package store

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
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

// UserByID returns an account.
func (s *Store) UserByID(ctx context.Context, id int64) (User, error) {
	var u User
	err := s.db.QueryRowContext(ctx, "SELECT id, name, admin FROM users WHERE id=?", id).Scan(&u.ID, &u.Name, &u.Admin)
	return u, notFound(err, "look up user")
}
