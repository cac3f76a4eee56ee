package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/pkg/protocol"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(kid string) string {
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":%q}`,
		kid, b64(testRSA.N.Bytes()), b64(big.NewInt(int64(testRSA.E)).Bytes()))
}

// issuer serves a key set that can be changed.
type issuer struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Value // http.HandlerFunc
}

func newIssuer(t *testing.T, body string) *issuer {
	t.Helper()
	i := &issuer{}
	i.set(serving(body))
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func serving(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func (i *issuer) set(f http.HandlerFunc) { i.answer.Store(f) }

type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(testNow.UnixNano())
	return c
}
func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func remote(t *testing.T, url string, c *clock) (*RemoteKeys, *JWT) {
	t.Helper()
	keys, err := NewRemoteKeys(RemoteOptions{URL: url, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys, must(NewJWT(JWTOptions{Keys: keys, Claims: ClaimNames{User: "sub"}, Now: func() time.Time { return testNow }}))
}

func withKid(t *testing.T, kid string) protocol.Token {
	t.Helper()
	return protocol.NewToken(signed(t, jwt.SigningMethodRS256, testRSA, func(k *jwt.Token, _ jwt.MapClaims) { k.Header["kid"] = kid }))
}

func TestRemoteKeysAreCachedAndUnknownKidsRateLimited(t *testing.T) {
	i, c := newIssuer(t, `{"keys":[`+rsaJWK("one")+`]}`), newClock()
	_, j := remote(t, i.URL, c)
	ctx := context.Background()
	for range 3 {
		if _, err := j.Authenticate(ctx, withKid(t, "one"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Fatalf("asked %d times for three tokens, want 1", n)
	}
	for range 20 { // strangers
		if _, err := j.Authenticate(ctx, withKid(t, "two"), ""); !errors.Is(err, ErrRefused) {
			t.Fatalf("unknown kid: got %v, want a refusal", err)
		}
	}
	if n := i.asked.Load(); n != 2 {
		t.Fatalf("asked %d times after twenty unknown kids, want 2", n)
	}
	i.set(serving(`{"keys":[` + rsaJWK("one") + `,` + rsaJWK("two") + `]}`))
	if _, err := j.Authenticate(ctx, withKid(t, "two"), ""); !errors.Is(err, ErrRefused) {
		t.Fatalf("within the limit: got %v, want a refusal", err)
	}
	c.advance(jwksUnknown)
	if _, err := j.Authenticate(ctx, withKid(t, "two"), ""); err != nil {
		t.Fatalf("a rotated key, after the wait: %v", err)
	}
	if n := i.asked.Load(); n != 3 {
		t.Fatalf("asked %d times, want 3", n)
	}
}

func TestRemoteKeysServeWhileTheIssuerIsAway(t *testing.T) {
	i, c := newIssuer(t, `{"keys":[`+rsaJWK("one")+`]}`), newClock()
	_, j := remote(t, i.URL, c)
	ctx := context.Background()
	if _, err := j.Authenticate(ctx, withKid(t, "one"), ""); err != nil {
		t.Fatal(err)
	}
	i.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	c.advance(jwksFresh)
	if _, err := j.Authenticate(ctx, withKid(t, "one"), ""); err != nil {
		t.Fatalf("an old set must serve: %v", err)
	}
	c.advance(jwksStale)
	if _, err := j.Authenticate(ctx, withKid(t, "one"), ""); err == nil || errors.Is(err, ErrRefused) {
		t.Fatalf("after a day: got %v, want unavailable", err)
	}
}

func TestRemoteKeysBadAnswersAreNoVerdict(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"a page":           serving("<!DOCTYPE html><html>log in</html>"),
		"an error as JSON": serving(`{"error":"down"}`),
		"keys is no list":  serving(`{"keys":{}}`),
		"keys twice":       serving(`{"keys":[` + rsaJWK("one") + `],"keys":[]}`),
		"no keys":          serving(`{"keys":[]}`),
		"half of it":       serving(`{"keys":[` + rsaJWK("one")),
		"huge":             func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxAnswer+1)) },
		"only a shared secret": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"oct","k":"` + b64(testSecret) + `"}]}`))
		},
		"encryption key": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Replace(rsaJWK("one"), `"sig"`, `"enc"`, 1) + `]}`))
		},
		"point off the curve": func(w http.ResponseWriter, _ *http.Request) {
			bad := b64([]byte(strings.Repeat("x", 32)))
			_, _ = w.Write([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"` + bad + `","y":"` + bad + `"}]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, "")
			i.set(answer)
			_, j := remote(t, i.URL, newClock())
			if _, err := j.Authenticate(context.Background(), withKid(t, "one"), ""); err == nil || errors.Is(err, ErrRefused) {
				t.Errorf("got %v, want unavailable", err)
			}
		})
	}
}

func TestRemoteKeysAddress(t *testing.T) {
	for url, good := range map[string]bool{
		"https://issuer.example.org/keys": true,
		"http://127.0.0.1:8080/keys":      true,
		"http://[::1]:8080/keys":          true,
		"http://localhost/keys":           true,
		"http://issuer.example.org/keys":  false,
		"http://127.0.0.1.example.org/":   false,
		"file:///etc/passwd":              false,
		"https://user:pass@example.org/":  false,
		"":                                false,
	} {
		if _, err := NewRemoteKeys(RemoteOptions{URL: url}); (err == nil) != good {
			t.Errorf("%q: got %v", url, err)
		}
	}
}
