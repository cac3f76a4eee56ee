package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/pkg/protocol"
)

// KeySource finds the keys that may have signed a token. An error means that
// they cannot be found out now. It is implemented by this package only.
type KeySource interface {
	// find returns the keys of the method that kid names, or, for an empty kid,
	// all of the method. kid is the token's own and only compared.
	find(ctx context.Context, kid, method string) ([]key, error)
}

// fixedKeys are keys that were loaded from a file. A key without a name of its
// own answers to every kid.
type fixedKeys []key

func (f fixedKeys) find(_ context.Context, kid, method string) ([]key, error) {
	return match(f, kid, method), nil
}

func match(keys []key, kid, method string) []key {
	var out []key
	for _, k := range keys {
		if k.method == method && (kid == "" || k.kid == "" || k.kid == kid) {
			out = append(out, k)
		}
	}
	return out
}

// JWTOptions says which signed tokens are good.
type JWTOptions struct {
	Keys     KeySource
	Issuer   string        // required `iss`; empty: not checked
	Audience string        // must be in `aud`; empty: not checked
	Leeway   time.Duration // how far clocks may differ, for exp and nbf
	Claims   ClaimNames
	Now      func() time.Time // nil: time.Now
}

// JWT checks signed tokens: HS256, RS256, ES256 and EdDSA, each only with a key
// of its kind. An expiry is required.
type JWT struct {
	options JWTOptions
	parser  *jwt.Parser
}

// NewJWT builds the checker.
func NewJWT(o JWTOptions) *JWT {
	if o.Now == nil {
		o.Now = time.Now
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods([]string{methodHS256, methodRS256, methodES256, methodEdDSA}),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(o.Leeway),
		jwt.WithTimeFunc(o.Now),
		jwt.WithJSONNumber(), // a numeric user id stays what it is, also above 2^53
		jwt.WithStrictDecoding(),
	}
	if o.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		rules = append(rules, jwt.WithAudience(o.Audience))
	}
	return &JWT{options: o, parser: jwt.NewParser(rules...)}
}

// errKeys carries a KeySource's error through the parser.
type errKeys struct{ err error }

func (e errKeys) Error() string { return e.err.Error() }
func (e errKeys) Unwrap() error { return e.err }

// Authenticate implements Authenticator. The identity expires when the token
// does; one that is past it already, within the leeway, at the leeway's end.
func (j *JWT) Authenticate(ctx context.Context, token protocol.Token) (Identity, error) {
	text := token.Reveal()
	if len(text) > maxTokenBytes {
		return Identity{}, refused("it is longer than %d bytes", maxTokenBytes)
	}
	if strings.Count(text, ".") != 2 {
		return Identity{}, refused("it does not have three parts")
	}
	claims := jwt.MapClaims{}
	_, err := j.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return j.keysOf(ctx, t) })
	var keys errKeys
	switch {
	case errors.As(err, &keys):
		return Identity{}, fmt.Errorf("find the keys of a token: %w", keys.err)
	case err != nil:
		return Identity{}, refused("%s", reason(err))
	}
	id, err := j.options.Claims.read(claims)
	if err != nil {
		return Identity{}, err
	}
	ends, err := claims.GetExpirationTime()
	if err != nil || ends == nil {
		return Identity{}, refused("it has no expiry")
	}
	id.Expires = ends.Time
	if !id.Expires.After(j.options.Now()) {
		id.Expires = ends.Add(j.options.Leeway)
	}
	if id.Expires.After(maxExpiry) {
		id.Expires = maxExpiry
	}
	id.Fingerprint = token.Fingerprint()
	return id, nil
}

func (j *JWT) keysOf(ctx context.Context, t *jwt.Token) (any, error) {
	// RFC 7515 4.1.11: what is marked critical must be understood, and nothing is.
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("it has critical headers")
	}
	kid, _ := t.Header["kid"].(string)
	keys, err := j.options.Keys.find(ctx, kid, t.Method.Alg())
	if err != nil {
		return nil, errKeys{err}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key fits its method and kid")
	}
	set := jwt.VerificationKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.public)
	}
	return set, nil
}

// reason is a constant for each way in which a token can be bad: the library's
// own texts may quote the token.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenInvalidIssuer, "its issuer is not the configured one"},
		{jwt.ErrTokenInvalidAudience, "its audience is not the configured one"},
		{jwt.ErrTokenRequiredClaimMissing, "a required claim is missing"},
		{jwt.ErrTokenMalformed, "it is malformed"},
		{jwt.ErrTokenUnverifiable, "no key fits its method and kid"},
		{jwt.ErrTokenSignatureInvalid, "its signature or method is not good"},
		{jwt.ErrTokenInvalidClaims, "its claims are not good"},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return "it is not good"
}
