package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"belfry/pkg/protocol"
)

var (
	testP384   = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	testP521   = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	longSecret = []byte(strings.Repeat("sixty-four bytes", 4))
)

// ecJWK is a key of a curve; more are further members, each with a comma before it.
func ecJWK(kid string, k *ecdsa.PrivateKey, more string) string {
	point := must(k.PublicKey.Bytes())[1:]
	return fmt.Sprintf(`{"kty":"EC","kid":%q,"crv":%q,"x":%q,"y":%q%s}`,
		kid, k.Curve.Params().Name, b64(point[:len(point)/2]), b64(point[len(point)/2:]), more)
}

func edJWK(kid, more string) string {
	return fmt.Sprintf(`{"kty":"OKP","kid":%q,"crv":"Ed25519","x":%q%s}`, kid, b64(testEd[32:]), more)
}

// bareRSA is testRSA without `use` and `alg`.
func bareRSA(kid, more string) string {
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q%s}`, kid, b64(testRSA.N.Bytes()), b64(big.NewInt(int64(testRSA.E)).Bytes()), more)
}

// signer is a method that an issuer may choose, and what signs with it.
type signer struct {
	alg    string // as the token's header spells it
	method jwt.SigningMethod
	with   any
	kid    string
}

// sign makes a token; an empty kid is left out.
func (s signer) sign(t *testing.T, kid string) string {
	t.Helper()
	return signed(t, s.method, s.with, func(k *jwt.Token, _ jwt.MapClaims) {
		k.Header["alg"] = s.alg
		if kid != "" {
			k.Header["kid"] = kid
		}
	})
}

var signers = []signer{
	{"RS256", jwt.SigningMethodRS256, testRSA, "rsa"}, {"RS384", jwt.SigningMethodRS384, testRSA, "rsa"}, {"RS512", jwt.SigningMethodRS512, testRSA, "rsa"},
	{"PS256", jwt.SigningMethodPS256, testRSA, "rsa"}, {"PS384", jwt.SigningMethodPS384, testRSA, "rsa"}, {"PS512", jwt.SigningMethodPS512, testRSA, "rsa"},
	{"ES256", jwt.SigningMethodES256, testEC, "p256"}, {"ES384", jwt.SigningMethodES384, testP384, "p384"}, {"ES512", jwt.SigningMethodES512, testP521, "p521"},
	{"EdDSA", jwt.SigningMethodEdDSA, testEd, "ed"}, {"Ed25519", jwt.SigningMethodEdDSA, testEd, "ed"},
}

func allKeys(alg string) string {
	if alg != "" {
		alg = fmt.Sprintf(`,"alg":%q`, alg)
	}
	return `{"keys":[` + strings.Join([]string{
		bareRSA("rsa", alg), ecJWK("p256", testEC, alg), ecJWK("p384", testP384, alg), ecJWK("p521", testP521, alg), edJWK("ed", alg),
	}, ",") + `]}`
}

// TestEveryMethodOfAnIssuer: each with a key that does not say its method, with
// one that says it, and with one that says another.
func TestEveryMethodOfAnIssuer(t *testing.T) {
	algs := []string{""}
	for _, s := range signers {
		algs = append(algs, s.alg)
	}
	for _, alg := range algs {
		set, err := parseJWKS([]byte(allKeys(alg)), secretsIgnored)
		if err != nil {
			t.Fatal(err)
		}
		j := must(NewJWT(JWTOptions{Keys: fixedKeys(set.keys), Claims: ClaimNames{User: "sub"}, Now: newClock().now}))
		for _, s := range signers {
			for _, kid := range []string{s.kid, ""} {
				_, err := j.Authenticate(context.Background(), protocol.NewToken(s.sign(t, kid)), "")
				if good := alg == "" || spelling(alg) == spelling(s.alg); good != (err == nil) || err != nil && !errors.Is(err, ErrRefused) {
					t.Errorf("%s with kid %q, keys of alg %q: got %v", s.alg, kid, alg, err)
				}
			}
		}
	}
}

// TestSecrets: as long as the hash (RFC 7518 3.2), from a file or a key set.
func TestSecrets(t *testing.T) {
	for _, row := range []struct {
		method jwt.SigningMethod
		least  int
	}{{jwt.SigningMethodHS256, 32}, {jwt.SigningMethodHS384, 48}, {jwt.SigningMethodHS512, 64}} {
		for _, length := range []int{31, 32, 47, 48, 63, 64} {
			secret := longSecret[:length]
			token := protocol.NewToken(signed(t, row.method, secret, nil))
			for name, load := range map[string]func() (KeySource, error){
				"file": func() (KeySource, error) { return LoadSecret(fileOf(t, secret)) },
				"set": func() (KeySource, error) {
					return loadKeys(fileOf(t, fmt.Appendf(nil, `{"keys":[{"kty":"oct","k":%q}]}`, b64(secret))))
				},
			} {
				keys, err := load()
				if (err == nil) != (length >= 32) {
					t.Fatalf("%s of %d bytes: %v", name, length, err)
				}
				if err != nil {
					continue
				}
				j := must(NewJWT(JWTOptions{Keys: keys, Claims: ClaimNames{User: "sub"}, Now: newClock().now}))
				if _, err := j.Authenticate(context.Background(), token, ""); (err == nil) != (length >= row.least) {
					t.Errorf("%s with %s of %d bytes: %v", row.method.Alg(), name, length, err)
				}
			}
		}
	}
}
