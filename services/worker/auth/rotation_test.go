package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/protocol"
)

// ecToken is signed with testEC; an empty kid is left out.
func ecToken(t *testing.T, kid string) protocol.Token {
	t.Helper()
	return protocol.NewToken(signed(t, jwt.SigningMethodES256, testEC, func(k *jwt.Token, _ jwt.MapClaims) {
		if kid != "" {
			k.Header["kid"] = kid
		}
	}))
}

// TestRotation: the first token of a new key is taken, whether the issuer names
// its keys, does not, or uses a name again.
func TestRotation(t *testing.T) {
	for name, row := range map[string]struct{ before, after, kid string }{
		"named":                {ecJWK("old", shortEC(), ""), ecJWK("new", testEC, ""), "new"},
		"named, token without": {ecJWK("old", shortEC(), ""), ecJWK("new", testEC, ""), ""},
		"no names":             {ecJWK("", shortEC(), ""), ecJWK("", testEC, ""), ""},
		"the same name":        {ecJWK("k", shortEC(), ""), ecJWK("k", testEC, ""), "k"},
		"another method":       {bareRSA("k", ""), ecJWK("k", testEC, ""), "k"},
		"one more, no names":   {ecJWK("", shortEC(), ""), ecJWK("", shortEC(), "") + "," + ecJWK("", testEC, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			i, c := newIssuer(t, `{"keys":[`+row.before+`]}`), newClock()
			keys, j := remote(t, i.URL, c)
			if _, _, err := keys.find(context.Background(), "", "ES256"); err != nil { // the worker has been there for a while
				t.Fatal(err)
			}
			i.set(serving(`{"keys":[` + row.after + `]}`))
			if _, err := j.Authenticate(context.Background(), ecToken(t, row.kid), ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStrangersCauseFewFetches: tokens that no key verifies are refused, and ask
// the issuer once in a while only.
func TestStrangersCauseFewFetches(t *testing.T) {
	i, c := newIssuer(t, `{"keys":[`+ecJWK("", shortEC(), "")+`]}`), newClock()
	_, j := remote(t, i.URL, c)
	stranger := ecToken(t, "")
	for round := range 3 {
		for range 50 {
			if _, err := j.Authenticate(context.Background(), stranger, ""); !errors.Is(err, ErrRefused) {
				t.Fatalf("got %v, want a refusal", err)
			}
		}
		if n, want := i.asked.Load(), int64(2+round); n != want {
			t.Fatalf("asked %d times, want %d", n, want)
		}
		c.advance(jwksUnknown)
	}
	for _, text := range []string{"", "a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."} { // nothing that a key could verify
		if _, err := j.Authenticate(context.Background(), protocol.NewToken(text), ""); !errors.Is(err, ErrRefused) {
			t.Fatalf("%q: got %v, want a refusal", text, err)
		}
	}
	if n := i.asked.Load(); n != 4 {
		t.Errorf("asked %d times after malformed tokens, want 4", n)
	}
}

// TestNoVerdictWhileTheIssuerFails: a token that the old keys do not verify may
// be one of a new key. What they verify is taken.
func TestNoVerdictWhileTheIssuerFails(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"status":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"a page":        serving("<html>maintenance</html>"),
		"no usable key": serving(`{"keys":[{"kty":"AKP"}]}`),
		"an empty set":  serving(`{"keys":[]}`),
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte("{"))
		},
		"no connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			core, lines := observer.New(zap.InfoLevel)
			i, c := newIssuer(t, `{"keys":[`+rsaJWK("one")+`]}`), newClock()
			i.Config.SetKeepAlivesEnabled(false) // net/http asks again on a reused connection that breaks
			keys := must(NewRemoteKeys(RemoteOptions{URL: i.URL, Now: c.now, Logger: zap.New(core)}))
			t.Cleanup(keys.Close)
			j := must(NewJWT(JWTOptions{Keys: keys, Claims: ClaimNames{User: "sub"}, Now: func() time.Time { return testNow }}))
			ctx := context.Background()
			known, rotated, unnamed := withKid(t, "one"), ecToken(t, "new"), ecToken(t, "")
			if _, err := j.Authenticate(ctx, known, ""); err != nil {
				t.Fatal(err)
			}
			i.set(answer)
			for range 20 {
				for _, token := range []protocol.Token{rotated, unnamed} {
					if _, err := j.Authenticate(ctx, token, ""); err == nil || errors.Is(err, ErrRefused) {
						t.Fatalf("a token of a new key: got %v, want unavailable", err)
					}
				}
				if _, err := j.Authenticate(ctx, known, ""); err != nil {
					t.Fatal(err)
				}
			}
			if n := i.asked.Load(); n != 2 {
				t.Errorf("asked %d times, want 2", n)
			}
			if n := lines.FilterMessageSnippet("cannot fetch").Len(); n != 1 {
				t.Errorf("%d lines in the log say so, want 1", n)
			}
			for range 24 { // two minutes
				c.advance(jwksRetry)
				_, _ = j.Authenticate(ctx, rotated, "")
			}
			if n := lines.FilterMessageSnippet("cannot fetch").Len(); n != 3 {
				t.Errorf("%d lines in two minutes more, want 3 in all", n)
			}
			i.set(serving(`{"keys":[` + ecJWK("new", testEC, "") + `]}`))
			c.advance(jwksRetry)
			if _, err := j.Authenticate(ctx, rotated, ""); err != nil {
				t.Errorf("when it is back: %v", err)
			}
			if _, err := j.Authenticate(ctx, known, ""); !errors.Is(err, ErrRefused) {
				t.Errorf("a key that was withdrawn: got %v, want a refusal", err)
			}
			if lines.FilterMessageSnippet("fetched again").Len() != 1 {
				t.Error("the log does not say that it works again")
			}
		})
	}
}

// slowIssuer answers when it is told to.
func slowIssuer(t *testing.T, body func() string) (keys *RemoteKeys, j *JWT, arrived chan struct{}, answer chan struct{}) {
	t.Helper()
	arrived, answer = make(chan struct{}, 10), make(chan struct{})
	keys = must(NewRemoteKeys(RemoteOptions{URL: "http://127.0.0.1:1/"}))
	keys.client.Transport = transport(func(r *http.Request) (string, error) {
		arrived <- struct{}{}
		select {
		case <-answer:
			return body(), nil
		case <-r.Context().Done():
			return "", r.Context().Err()
		}
	})
	return keys, must(NewJWT(JWTOptions{Keys: keys, Claims: ClaimNames{User: "sub"}, Now: func() time.Time { return testNow }})), arrived, answer
}

// TestSlowIssuerHoldsUpOnlyWhoNeedsIt: tokens of known keys do not wait for a
// fetch, whether the set is old or a token of a new key asks for it; those of
// the new key wait for the one fetch together, as many as are let.
func TestSlowIssuerHoldsUpOnlyWhoNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := `{"keys":[` + rsaJWK("one") + `]}`
		keys, j, arrived, answer := slowIssuer(t, func() string { return set })
		defer keys.Close()
		known, rotated := withKid(t, "one"), ecToken(t, "new")
		go func() { answer <- struct{}{} }()
		if _, err := j.Authenticate(t.Context(), known, ""); err != nil {
			t.Fatal(err)
		}
		<-arrived
		<-time.After(jwksFresh)
		if _, err := j.Authenticate(t.Context(), known, ""); err != nil {
			t.Fatal(err)
		}
		<-arrived // the refresh is on its way
		results := make(chan error, 3*maxWaiting)
		for range 3 * maxWaiting {
			go func() {
				_, err := j.Authenticate(t.Context(), rotated, "")
				results <- err
			}()
		}
		synctest.Wait()
		if n := len(results); n != 2*maxWaiting {
			t.Fatalf("%d tokens do not wait, want %d", n, 2*maxWaiting)
		}
		for range 2 * maxWaiting {
			if err := <-results; err == nil || errors.Is(err, ErrRefused) {
				t.Fatalf("one too many: got %v, want unavailable", err)
			}
		}
		if _, err := j.Authenticate(t.Context(), known, ""); err != nil {
			t.Fatalf("a known key beside them: %v", err)
		}
		set = `{"keys":[` + rsaJWK("one") + `,` + ecJWK("new", testEC, "") + `]}`
		answer <- struct{}{}
		for range maxWaiting {
			if err := <-results; err != nil {
				t.Fatalf("one that waited: %v", err)
			}
		}
		if n := len(arrived); n != 0 {
			t.Errorf("%d fetches more than one", n)
		}
	})
}

// TestHangingIssuer: at the start nobody can be let in, and nobody waits longer
// than one fetch or his own patience.
func TestHangingIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, j, arrived, _ := slowIssuer(t, func() string { return "" })
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := j.Authenticate(t.Context(), ecToken(t, ""), ""); err == nil || errors.Is(err, ErrRefused) {
					t.Errorf("got %v, want unavailable", err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := j.Authenticate(impatient, ecToken(t, ""), ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient one: %v", err)
		}
		all.Wait()
		if took := time.Since(began); took != jwksTimeout {
			t.Errorf("they waited %v, want %v", took, jwksTimeout)
		}
		if n := len(arrived); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
		keys.Close()
		if _, err := j.Authenticate(t.Context(), ecToken(t, ""), ""); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("after Close: got %v, want unavailable", err)
		}
	})
}
