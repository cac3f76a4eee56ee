package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
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
	i.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(i.Close)
	return i
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
	keys, err := NewRemoteKeys(url, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys, NewJWT(JWTOptions{Keys: keys, Claims: ClaimNames{User: "sub"}, Now: func() time.Time { return testNow }})
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
		if _, err := j.Authenticate(ctx, withKid(t, "one")); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Fatalf("asked %d times for three tokens, want 1", n)
	}
	i.set(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[` + rsaJWK("one") + `,` + rsaJWK("two") + `]}`))
	})
	for range 20 { // strangers
		if _, err := j.Authenticate(ctx, withKid(t, "two")); !errors.Is(err, ErrRefused) {
			t.Fatalf("unknown kid: got %v, want a refusal", err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Fatalf("asked %d times for unknown kids, want 1", n)
	}
	c.advance(jwksUnknown)
	if _, err := j.Authenticate(ctx, withKid(t, "two")); err != nil {
		t.Fatalf("a rotated key, after the wait: %v", err)
	}
	if n := i.asked.Load(); n != 2 {
		t.Fatalf("asked %d times, want 2", n)
	}
}

func TestRemoteKeysServeWhileTheIssuerIsAway(t *testing.T) {
	i, c := newIssuer(t, `{"keys":[`+rsaJWK("one")+`]}`), newClock()
	_, j := remote(t, i.URL, c)
	ctx := context.Background()
	if _, err := j.Authenticate(ctx, withKid(t, "one")); err != nil {
		t.Fatal(err)
	}
	i.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	c.advance(jwksFresh)
	if _, err := j.Authenticate(ctx, withKid(t, "one")); err != nil {
		t.Fatalf("an old set must serve: %v", err)
	}
	c.advance(jwksStale)
	if _, err := j.Authenticate(ctx, withKid(t, "one")); err == nil || errors.Is(err, ErrRefused) {
		t.Fatalf("after a day: got %v, want unavailable", err)
	}
}

func TestRemoteKeysBadAnswersAreNoVerdict(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"huge":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxAnswer+1)) },
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
			if _, err := j.Authenticate(context.Background(), withKid(t, "one")); err == nil || errors.Is(err, ErrRefused) {
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
		if _, err := NewRemoteKeys(url, nil); (err == nil) != good {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

func introspection(t *testing.T, url string, c *clock) *Introspection {
	t.Helper()
	i, err := NewIntrospection(IntrospectionOptions{
		URL: url, ClientID: "belfry", ClientSecret: "s:cret", Cache: 10 * time.Second, Timeout: time.Second,
		Claims: ClaimNames{User: "sub", Groups: "groups"}, Now: c.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestIntrospection(t *testing.T) {
	c := newClock()
	server := newIssuer(t, "")
	server.set(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if user != "belfry" || secret != "s%3Acret" || r.Method != http.MethodPost || r.FormValue("token") != "opaque" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"active": true, "sub": 7, "groups": []string{"jobs-*"}, "exp": testNow.Add(15 * time.Second).Unix(),
		})
	})
	i := introspection(t, server.URL, c)
	ask := func() (Identity, error) { return i.Authenticate(context.Background(), protocol.NewToken("opaque")) }
	for range 2 {
		id, err := ask()
		if err != nil || string(id.User) != "7" || !id.Expires.Equal(testNow.Add(15*time.Second)) {
			t.Fatalf("got %+v, %v", id, err)
		}
	}
	if n := server.asked.Load(); n != 1 {
		t.Fatalf("asked %d times, want 1: a good answer is remembered", n)
	}
	i.Forget()
	if _, err := ask(); err != nil || server.asked.Load() != 2 {
		t.Fatalf("forgotten: %v, asked %d", err, server.asked.Load())
	}
	c.advance(10 * time.Second)
	if _, err := ask(); err != nil || server.asked.Load() != 3 {
		t.Fatalf("after the cache: %v, asked %d", err, server.asked.Load())
	}
	c.advance(6 * time.Second) // the token has ended, the cache would not have
	if _, err := ask(); !errors.Is(err, ErrRefused) {
		t.Fatalf("an expired token: got %v, want a refusal", err)
	}
}

func TestIntrospectionAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"inactive":           {200, `{"active": false}`, true},
		"no user":            {200, `{"active": true}`, true},
		"star":               {200, `{"active": true, "sub": "*"}`, true},
		"expired":            {200, `{"active": true, "sub": 7, "exp": 1}`, true},
		"not yet":            {200, `{"active": true, "sub": 7, "nbf": 1900000000}`, true},
		"our secret is bad":  {401, `{"active": true, "sub": 7}`, false},
		"down":               {503, ``, false},
		"no JSON":            {200, `active`, false},
		"active is a string": {200, `{"active": "true", "sub": 7}`, false},
		"exp is text":        {200, `{"active": true, "sub": 7, "exp": "1"}`, false},
		"huge":               {200, `{"active": true, "sub": 7, "x": "` + strings.Repeat("x", maxAnswer) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := newIssuer(t, "")
			server.set(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
			})
			i := introspection(t, server.URL, newClock())
			for range 2 {
				_, err := i.Authenticate(context.Background(), protocol.NewToken("opaque"))
				if err == nil || errors.Is(err, ErrRefused) != row.refused {
					t.Errorf("got %v, refused should be %v", err, row.refused)
				}
			}
			if n := server.asked.Load(); n != 2 {
				t.Errorf("asked %d times, want 2: only good answers are remembered", n)
			}
		})
	}
}

func TestStatic(t *testing.T) {
	s, err := LoadStatic(fileOf(t, []byte(`{"one": {"user": 7, "groups": ["*"]}, "two": {"user": "ann"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Authenticate(context.Background(), protocol.NewToken("one"))
	if err != nil || string(id.User) != "7" || id.Groups[0] != "*" || !id.Expires.IsZero() || id.Fingerprint == "" {
		t.Errorf("got %+v, %v", id, err)
	}
	for _, text := range []string{"", "on", "One", "one ", "three"} {
		if _, err := s.Authenticate(context.Background(), protocol.NewToken(text)); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v, want a refusal", text, err)
		}
	}
	for name, text := range map[string]string{
		"list": `[]`, "empty": `{}`, "no text": ``, "twice": `{"secret-one": {"user": 7}, "secret-one": {"user": 8}}`,
		"unknown key": `{"secret-one": {"user": 7, "group": []}}`, "star": `{"secret-one": {"user": "*"}}`,
		"no user": `{"secret-one": {}}`, "trailing": `{"secret-one": {"user": 7}} {}`, "cut": `{"secret-one": {"user": 7}`,
		"empty token": `{"": {"user": 7}}`, "value": `{"secret-one": 7}`,
	} {
		_, err := LoadStatic(fileOf(t, []byte(text)))
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "secret-one") {
			t.Errorf("%s: the error shows a token: %v", name, err)
		}
	}
}
