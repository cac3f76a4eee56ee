package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"belfry/pkg/exactjson"
	"belfry/pkg/protocol"
)

// JWTOptions says which signed tokens are good.
type JWTOptions struct {
	Keys     KeySource
	Issuer   string        // required `iss`; empty: not checked
	Audience string        // must be in `aud`; empty: not checked
	Leeway   time.Duration // how far clocks may differ, for exp and nbf
	Claims   ClaimNames
	Now      func() time.Time // nil: time.Now
	Logger   *zap.Logger      // nil: nothing is logged
	Metrics  *Metrics         // nil: nothing is counted
}

// JWT checks signed tokens: HS, RS, PS and ES with 256, 384 and 512 bits, EdDSA
// (also spelt Ed25519), each only with a key of its kind. An expiry is required.
type JWT struct {
	options JWTOptions
	parser  *jwt.Parser
	claims  *claimReader
}

// NewJWT builds the checker. Its error is about the names of claims.
func NewJWT(o JWTOptions) (*JWT, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	claims, err := newClaimReader(o.Claims, o.Logger, o.Metrics)
	if err != nil {
		return nil, err
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods(allMethods()),
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
	return &JWT{options: o, parser: jwt.NewParser(rules...), claims: claims}, nil
}

// Authenticate implements Authenticator. The identity expires when the token
// does; one that is past it already, within the leeway, at the leeway's end.
func (j *JWT) Authenticate(ctx context.Context, token protocol.Token, _ string) (Identity, error) {
	text := token.Reveal()
	if len(text) > maxTokenBytes {
		return Identity{}, refused("it is longer than %d bytes", maxTokenBytes)
	}
	if err := checkParts(text); err != nil {
		return Identity{}, err
	}
	claims, err := j.parse(ctx, text)
	if err != nil {
		return Identity{}, err
	}
	id, err := j.claims.read(claims)
	if err != nil {
		return Identity{}, err
	}
	expiry, err := claims.GetExpirationTime()
	if err != nil || expiry == nil {
		return Identity{}, refused("it has no expiry")
	}
	id.Expires = ends(expiry.Time, j.options.Now(), j.options.Leeway)
	id.Fingerprint = token.Fingerprint()
	return id, nil
}

// checkParts refuses a token whose header or claims two parsers could read
// differently, above all one with duplicate members (RFC 7515 4, RFC 7519 4).
func checkParts(text string) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return refused("it does not have three parts")
	}
	for i, name := range []string{"header", "claims"} {
		part, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			return refused("it is malformed: its %s is not base64url", name)
		}
		if err := exactjson.Check(part); err != nil {
			return refused("its %s is ambiguous or not JSON: %w", name, err)
		}
	}
	return nil
}

// parse checks the signature and the times. If no key verifies the token, the
// issuer may have rotated its keys: parse renews them, as often as the key source
// allows, and tries again.
func (j *JWT) parse(ctx context.Context, text string) (jwt.MapClaims, error) {
	for {
		claims := jwt.MapClaims{}
		looked := lookup{keys: j.options.Keys}
		_, err := j.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return looked.keysOf(ctx, t) })
		switch {
		case err == nil:
			return claims, nil
		case looked.err != nil:
			return nil, fmt.Errorf("find the keys of a token: %w", looked.err)
		case !looked.done || !errors.Is(err, jwt.ErrTokenSignatureInvalid) && !errors.Is(err, jwt.ErrTokenUnverifiable):
			return nil, refused("%s", reason(err))
		}
		changed, renewErr := j.options.Keys.renew(ctx, looked.version)
		switch {
		case renewErr != nil:
			return nil, fmt.Errorf("no known key verifies a token, and the key set cannot be renewed: %w", renewErr)
		case changed:
			continue
		case looked.cut:
			return nil, refused("none of the first %d keys for its method verifies it; have the issuer put a kid into its tokens and keys", maxTries)
		}
		return nil, refused("%s", reason(err))
	}
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
