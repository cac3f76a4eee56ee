package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// KeySource finds the keys that may have signed a token. An error means that
// they cannot be found out now. It is implemented by this package only.
type KeySource interface {
	// find returns the keys of the method that kid names and those without a
	// name, or, for an empty kid, all of the method; version tells sets apart.
	// kid is the token's own and only compared.
	find(ctx context.Context, kid, method string) (keys []key, version uint64, err error)
	// renew is asked when no key of that version verifies a token. It reports
	// whether there is another version now.
	renew(ctx context.Context, version uint64) (changed bool, err error)
}

// fixedKeys are keys that were loaded from a file. A key without a name of its
// own answers to every kid.
type fixedKeys []key

func (f fixedKeys) find(_ context.Context, kid, method string) ([]key, uint64, error) {
	return match(f, kid, method), 0, nil
}

func (fixedKeys) renew(context.Context, uint64) (bool, error) { return false, nil }

func match(keys []key, kid, method string) []key {
	var named, others []key
	for _, k := range keys {
		switch {
		case !slices.Contains(k.methods, method):
		case kid != "" && k.kid == kid:
			named = append(named, k)
		case kid == "" || k.kid == "":
			others = append(others, k)
		}
	}
	return append(named, others...)
}

// maxTries bounds the keys that one token is checked with. More fit only where
// an issuer names neither its keys nor, in the token, the one that it used.
const maxTries = 256

// lookup is the search for one token's keys.
type lookup struct {
	keys    KeySource
	done    bool // the keys were looked for: the header was good
	version uint64
	cut     bool  // there were more keys than are tried
	err     error // they cannot be found out now
}

func (l *lookup) keysOf(ctx context.Context, t *jwt.Token) (any, error) {
	// RFC 7515 4.1.11: what is marked critical must be understood, and nothing is.
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("it has critical headers")
	}
	kid, _ := t.Header["kid"].(string)
	found, version, err := l.keys.find(ctx, kid, t.Method.Alg())
	if err != nil {
		l.err = err
		return nil, err
	}
	l.done, l.version = true, version
	if len(found) == 0 {
		return nil, errors.New("no key fits its method and kid")
	}
	if l.cut = len(found) > maxTries; l.cut {
		found = found[:maxTries]
	}
	set := jwt.VerificationKeySet{}
	for _, k := range found {
		set.Keys = append(set.Keys, k.public)
	}
	return set, nil
}
