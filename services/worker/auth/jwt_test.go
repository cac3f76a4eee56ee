package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

var testNow = time.Unix(1_800_000_000, 0)

var (
	testSecret = []byte("a secret of at least thirty-two bytes")
	testRSA    = must(rsa.GenerateKey(rand.Reader, 2048))
	testEC     = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, testEd  = must2(ed25519.GenerateKey(rand.Reader))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func pemOf(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func fileOf(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checker accepts all four methods, each by its own key.
func checker(t *testing.T) *JWT {
	t.Helper()
	var keys fixedKeys
	for _, public := range []any{testSecret, &testRSA.PublicKey, &testEC.PublicKey, testEd.Public()} {
		k, err := newKey("", "", public)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return must(NewJWT(JWTOptions{
		Keys: keys, Issuer: "tower", Audience: "belfry", Leeway: 10 * time.Second,
		Claims: ClaimNames{User: "sub", Groups: "groups"}, Now: func() time.Time { return testNow },
	}))
}

func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": 7, "iss": "tower", "aud": "belfry", "exp": testNow.Add(time.Hour).Unix(), "groups": []string{"jobs-*"},
	}
}

func signed(t *testing.T, method jwt.SigningMethod, with any, change func(*jwt.Token, jwt.MapClaims)) string {
	t.Helper()
	claims := goodClaims()
	token := jwt.NewWithClaims(method, claims)
	if change != nil {
		change(token, claims)
	}
	text, err := token.SignedString(with)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGoodTokens(t *testing.T) {
	for name, text := range map[string]string{
		"HS256": signed(t, jwt.SigningMethodHS256, testSecret, nil),
		"RS256": signed(t, jwt.SigningMethodRS256, testRSA, nil),
		"ES256": signed(t, jwt.SigningMethodES256, testEC, nil),
		"EdDSA": signed(t, jwt.SigningMethodEdDSA, testEd, nil),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := checker(t).Authenticate(context.Background(), protocol.NewToken(text), "")
			if err != nil {
				t.Fatal(err)
			}
			if string(id.User) != "7" || len(id.Groups) != 1 || id.Groups[0] != "jobs-*" {
				t.Errorf("identity is %s, %q", id.User, id.Groups)
			}
			if want := testNow.Add(time.Hour); !id.Expires.Equal(want) {
				t.Errorf("expires %v, want %v", id.Expires, want)
			}
			if id.Fingerprint != protocol.NewToken(text).Fingerprint() {
				t.Error("the fingerprint is not the token's")
			}
		})
	}
}

func TestUserKeepsItsKind(t *testing.T) {
	for _, row := range []struct {
		user any
		want string
	}{
		{7, `7`}, {"7", `"7"`}, {int64(9007199254740993), `9007199254740993`}, {-1, `-1`},
		{"ann", `"ann"`}, {"<ann>&", `"<ann>&"`}, {"日本", `"日本"`},
	} {
		text := signed(t, jwt.SigningMethodHS256, testSecret, func(_ *jwt.Token, c jwt.MapClaims) { c["sub"] = row.user })
		id, err := checker(t).Authenticate(context.Background(), protocol.NewToken(text), "")
		if err != nil || string(id.User) != row.want {
			t.Errorf("user %v: got %s, %v; want %s", row.user, id.User, err, row.want)
		}
	}
}

// renamed is a token whose header names another method than the one that signed it.
func renamed(t *testing.T, alg string, with *ecdsa.PrivateKey) string {
	t.Helper()
	return signed(t, jwt.SigningMethodES256, with, func(k *jwt.Token, _ jwt.MapClaims) { k.Header["alg"] = alg })
}

func TestAttacks(t *testing.T) {
	hs := func(change func(*jwt.Token, jwt.MapClaims)) string {
		return signed(t, jwt.SigningMethodHS256, testSecret, change)
	}
	claim := func(name string, value any) string {
		return hs(func(_ *jwt.Token, c jwt.MapClaims) {
			if value == nil {
				delete(c, name)
			} else {
				c[name] = value
			}
		})
	}
	good := hs(nil)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	publicPEM := pemOf(t, &testRSA.PublicKey)
	otherRSA := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, text := range map[string]string{
		"empty":                     "",
		"alg none":                  none + "." + parts[1] + ".",
		"alg none, signature kept":  none + "." + parts[1] + "." + parts[2],
		"alg None":                  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".",
		"RS256 PEM as HS256 secret": signed(t, jwt.SigningMethodHS256, publicPEM, nil),
		"RS256 DER as HS256 secret": signed(t, jwt.SigningMethodHS256, must(x509.MarshalPKIXPublicKey(&testRSA.PublicKey)), nil),
		"HS384 with a short secret": signed(t, jwt.SigningMethodHS384, testSecret, nil),
		"ES384 named, P-256 signed": renamed(t, "ES384", testEC),
		"another RSA key":           signed(t, jwt.SigningMethodRS256, otherRSA, nil),
		"another secret":            signed(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes!!"), nil),
		"changed payload":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":1,"exp":9999999999}`)) + "." + parts[2],
		"cut signature":             parts[0] + "." + parts[1] + "." + parts[2][:10],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"two parts":                 parts[0] + "." + parts[1],
		"four parts":                good + ".x",
		"a million dots":            strings.Repeat(".", 1_000_000),
		"as many dots as fit":       strings.Repeat(".", maxTokenBytes),
		"too long":                  strings.Repeat("a", maxTokenBytes) + "." + parts[1] + "." + parts[2],
		"critical header":           hs(func(k *jwt.Token, _ jwt.MapClaims) { k.Header["crit"] = []string{"b64"} }),
		"own key in the header": signed(t, jwt.SigningMethodRS256, otherRSA, func(k *jwt.Token, _ jwt.MapClaims) {
			k.Header["jku"] = "http://127.0.0.1:1/"
			k.Header["jwk"] = map[string]string{"kty": "RSA"}
		}),
		"expired":            claim("exp", testNow.Add(-11*time.Second).Unix()),
		"no expiry":          claim("exp", nil),
		"expiry is text":     claim("exp", "tomorrow"),
		"not yet":            claim("nbf", testNow.Add(11*time.Second).Unix()),
		"foreign audience":   claim("aud", "another"),
		"no audience":        claim("aud", nil),
		"foreign issuer":     claim("iss", "another"),
		"no issuer":          claim("iss", nil),
		"no user":            claim("sub", nil),
		"user star":          claim("sub", "*"),
		"user with star":     claim("sub", "7*"),
		"user with newline":  claim("sub", "7\n8"),
		"user with NUL":      claim("sub", "7\x00"),
		"user turned around": claim("sub", "7\u202e8"),
		"user empty":         claim("sub", ""),
		"user too long":      claim("sub", strings.Repeat("u", protocol.MaxUserLength+1)),
		"user float":         claim("sub", 1.5),
		"user bool":          claim("sub", true),
		"user list":          claim("sub", []int{7}),
		"user null":          claim("sub", json.RawMessage("null")),
		"user object":        claim("sub", map[string]any{"id": 7}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := checker(t).Authenticate(context.Background(), protocol.NewToken(text), "")
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if len(text) > 20 && strings.Contains(err.Error(), text[:20]) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestLeewayIsGiven(t *testing.T) {
	for _, name := range []string{"exp", "nbf"} {
		at := map[string]time.Duration{"exp": -9 * time.Second, "nbf": 9 * time.Second}[name]
		text := signed(t, jwt.SigningMethodHS256, testSecret, func(_ *jwt.Token, c jwt.MapClaims) { c[name] = testNow.Add(at).Unix() })
		id, err := checker(t).Authenticate(context.Background(), protocol.NewToken(text), "")
		if err != nil {
			t.Errorf("%s within the leeway: %v", name, err)
		}
		if want := testNow.Add(time.Second); name == "exp" && !id.Expires.Equal(want) {
			t.Errorf("one that is past its expiry expires %v, want %v", id.Expires, want)
		}
	}
}

func TestFarExpiryIsCapped(t *testing.T) {
	text := signed(t, jwt.SigningMethodHS256, testSecret, func(_ *jwt.Token, c jwt.MapClaims) { c["exp"] = 1e15 })
	id, err := checker(t).Authenticate(context.Background(), protocol.NewToken(text), "")
	if err != nil || !id.Expires.Equal(maxExpiry) {
		t.Errorf("got %v, %v", id.Expires, err)
	}
}

// A kid is compared and nothing else: no path, no query, no address.
func TestKidInjection(t *testing.T) {
	named, err := newKey("current", "", testSecret)
	if err != nil {
		t.Fatal(err)
	}
	j := must(NewJWT(JWTOptions{Keys: fixedKeys{named}, Claims: ClaimNames{User: "sub"}, Now: func() time.Time { return testNow }}))
	for _, kid := range []any{"../../../../dev/null", "/dev/null", "' OR 1=1 --", "http://127.0.0.1:1/", "current\x00", "CURRENT"} {
		for _, with := range [][]byte{testSecret, {}, []byte("\n")} {
			text := signed(t, jwt.SigningMethodHS256, with, func(k *jwt.Token, _ jwt.MapClaims) { k.Header["kid"] = kid })
			if _, err := j.Authenticate(context.Background(), protocol.NewToken(text), ""); !errors.Is(err, ErrRefused) {
				t.Errorf("kid %q: got %v, want a refusal", kid, err)
			}
		}
	}
	text := signed(t, jwt.SigningMethodHS256, testSecret, func(k *jwt.Token, _ jwt.MapClaims) { k.Header["kid"] = "current" })
	if _, err := j.Authenticate(context.Background(), protocol.NewToken(text), ""); err != nil {
		t.Errorf("the right kid: %v", err)
	}
}

func loadKeys(path string) (KeySource, error) { return LoadKeys(path, zap.NewNop()) }

func TestKeyFiles(t *testing.T) {
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(testRSA))})
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, row := range []struct {
		name, want string
		load       func(string) (KeySource, error)
		text       []byte
	}{
		{"public keys", "", loadKeys, append(pemOf(t, &testRSA.PublicKey), pemOf(t, testEd.Public())...)},
		{"secret", "", LoadSecret, append(testSecret, '\n')},
		{"short secret", "at least 32 bytes", LoadSecret, []byte("short")},
		{"public key as secret", "BELFRY_JWT_KEY_FILE", LoadSecret, pemOf(t, &testRSA.PublicKey)},
		{"DER as secret", "BELFRY_JWT_KEY_FILE", LoadSecret, must(x509.MarshalPKIXPublicKey(&testRSA.PublicKey))},
		{"JWKS as secret", "BELFRY_JWT_KEY_FILE", LoadSecret, []byte(`{"keys": []}                                `)},
		{"secret as key", "BELFRY_JWT_SECRET_FILE", loadKeys, testSecret},
		{"private key", "private key", loadKeys, private},
		{"another curve", "P-256", loadKeys, pemOf(t, &p224.PublicKey)},
		{"empty JWKS", "no usable key", loadKeys, []byte(`{"keys": []}`)},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.load(fileOf(t, row.text))
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
