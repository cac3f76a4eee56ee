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
	// find returns the keys that can verify the method: those named kid, then
	// those without a name; if kid is empty, all of them. version identifies the
	// key set. kid comes from the token and is only ever compared.
	find(ctx context.Context, kid, method string) (keys []key, version uint64, err error)
	// renew is called when no key of that version verifies a token. It reports
	// whether the key set is another one now, so that find is worth a second try.
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

// maxTries bounds how many keys one token is checked against. There can be more
// only if neither the issuer's keys nor its tokens carry a kid.
const maxTries = 256

// lookup finds the keys of one token and remembers how that went.
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
