// Package auth finds out whose token it is.
//
// One interface, Authenticator, has three implementations: JWT (signed tokens,
// keys from files or from a JWKS address), Introspection (opaque tokens, RFC
// 7662) and Static (a development file). Exactly one is in use; the room app
// chooses it from the configuration.
//
// Vocabulary: an identity is what a token says: the user's id as JSON (a number
// stays a number), the group patterns that the token claims, when it ends, and
// the token's fingerprint. Refused means that the token is bad, and is an error
// that wraps ErrRefused; every other error means that it could not be found
// out, and says nothing about the token. No error of this package holds a token
// or a part of one.
//
// Everything in this package may be called concurrently. It starts no
// goroutine that outlives a call.
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

// Authenticator finds out whose token it is. The error wraps ErrRefused, or the
// token could not be checked within ctx.
type Authenticator interface {
	Authenticate(ctx context.Context, token protocol.Token) (Identity, error)
}

// ClaimNames says where a token keeps the user's id, the group patterns and the
// login session.
type ClaimNames struct {
	User   string // a string or an integer; required in the token
	Groups string // a list of strings; may be absent in the token
	SID    string // a string; may be absent in the token
}

// Bounds of what is taken from a token. The identity travels with every
// question and stays in the gateway's memory for as long as the connection.
const (
	maxTokenBytes    = 8 << 10
	maxClaimPatterns = 256
	maxPatternBytes  = protocol.MaxGroupBytes + 1 // and the dash
)

// maxExpiry keeps times far away inside what unix milliseconds and timers can
// carry: the year 9999.
var maxExpiry = time.Unix(253402300799, 0)

func (n ClaimNames) read(claims map[string]any) (Identity, error) {
	value, found := claims[n.User]
	if !found {
		return Identity{}, refused("the token has no claim %q", n.User)
	}
	user, err := userOf(value)
	if err != nil {
		return Identity{}, refused("claim %q: %w", n.User, err)
	}
	groups, err := patternsOf(claims[n.Groups])
	if err != nil {
		return Identity{}, refused("claim %q: %w", n.Groups, err)
	}
	sid, err := sidOf(claims[n.SID])
	if err != nil {
		return Identity{}, refused("claim %q: %w", n.SID, err)
	}
	return Identity{User: user, Groups: groups, SID: sid}, nil
}

// patternsOf takes nothing, a list of strings, or one string.
func patternsOf(value any) ([]string, error) {
	var list []any
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		list = []any{v}
	case []any:
		list = v
	default:
		return nil, errors.New("it must be a list of strings")
	}
	if len(list) > maxClaimPatterns {
		return nil, fmt.Errorf("more than %d group patterns", maxClaimPatterns)
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, errors.New("it must be a list of strings")
		}
		if len(text) > maxPatternBytes {
			return nil, fmt.Errorf("a group pattern is longer than %d bytes", maxPatternBytes)
		}
		out = append(out, text)
	}
	return out, nil
}
