// Package auth finds out whose token it is.
//
// One interface, Authenticator, has three implementations: JWT (signed tokens,
// keys from files or from a JWKS address), Introspection (opaque tokens, RFC
// 7662) and Static (a development file). Exactly one is in use; package app
// chooses it from the configuration.
//
// Vocabulary: an identity is what a token says: the user's id as JSON (a number
// stays a number), the group patterns that the token claims, when it ends, and
// the token's fingerprint. Refused means that the token is bad, and is an error
// that wraps ErrRefused; every other error means that the check could not be
// made, and says nothing about the token. No error of this package holds a token
// or a part of one.
//
// Key sets and groups claims are read leniently: a key or an item that cannot be
// understood is skipped and reported, and does not affect the others. The user's
// id and the login session's id are read strictly, because they decide who
// somebody is: if one of them cannot be understood, the token is refused.
//
// Everything in this package may be called concurrently. RemoteKeys and
// Introspection send their HTTP requests from goroutines of their own, which
// Close ends.
package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/protocol"
)

// ErrRefused is wrapped by every error that is a verdict about the token.
var ErrRefused = errors.New("token refused")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// Identity is what a token says.
type Identity struct {
	// User is a JSON string or a JSON integer, as the token carries it. It has
	// passed protocol.ParseUser.
	User json.RawMessage `json:"user"`
	// Groups are the group patterns that the token claims; see package access.
	Groups []string `json:"groups,omitempty"`
	// SID is the login session that the token belongs to; empty: it does not say.
	SID string `json:"sid,omitempty"`
	// Expires is when the token ends; zero: it does not.
	Expires time.Time `json:"expires,omitzero"`
	// Fingerprint names the token one-way, for caches.
	Fingerprint string `json:"fingerprint"`
}

// Authenticator finds out whose token it is. client is who shows it, as
// protocol.ClientOf names the address; empty: unknown. Clients share what a check
// needs, so that one with many tokens makes no other wait. The error wraps ErrRefused,
// or the token could not be checked within ctx.
type Authenticator interface {
	Authenticate(ctx context.Context, token protocol.Token, client string) (Identity, error)
}
