package auth

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/pkg/protocol"
)

// TestNoAnswerOutlivesItsToken asks on both sides of each moment that matters, with a
// cache that would keep answers for an hour: a token is good until its expiry and the
// leeway, and not a nanosecond longer, and the connection ends by then. The server says
// all the time that it is active.
func TestNoAnswerOutlivesItsToken(t *testing.T) {
	const life = 30 * time.Second
	expiry := testNow.Add(life)
	for _, leeway := range []time.Duration{0, 10 * time.Second} {
		c := newClock()
		server := newIssuer(t, fmt.Sprintf(`{"active": true, "sub": 7, "exp": %d}`, expiry.Unix()))
		opaque := must(NewIntrospection(IntrospectionOptions{
			URL: server.URL, Leeway: leeway, Cache: time.Hour, Claims: ClaimNames{User: "sub"}, Now: c.now,
		}))
		t.Cleanup(opaque.Close)
		key := must(newKey("", "", testSecret))
		signedBy := must(NewJWT(JWTOptions{Keys: fixedKeys{key}, Leeway: leeway, Claims: ClaimNames{User: "sub"}, Now: c.now}))
		text := signed(t, jwt.SigningMethodHS256, testSecret, func(_ *jwt.Token, claims jwt.MapClaims) { claims["exp"] = expiry.Unix() })
		for _, after := range []time.Duration{
			0, life - time.Second, life - 1, life, life + 1, life + leeway - 1, life + leeway, life + leeway + 1, life + leeway + time.Minute,
		} {
			c.at.Store(testNow.Add(after).UnixNano())
			for name, ask := range map[string]func() (Identity, error){
				"introspection": func() (Identity, error) {
					return opaque.Authenticate(t.Context(), protocol.NewToken("opaque"), "")
				},
				"jwt": func() (Identity, error) { return signedBy.Authenticate(t.Context(), protocol.NewToken(text), "") },
			} {
				id, err := ask()
				good := after < life+leeway
				if good != (err == nil) || err != nil && !errors.Is(err, ErrRefused) {
					t.Errorf("%s, leeway %v, %v after the expiry: %v", name, leeway, after-life, err)
				}
				if err == nil && (!id.Expires.After(c.now()) || id.Expires.After(expiry.Add(leeway))) {
					t.Errorf("%s, leeway %v, %v after the expiry: its connections end %v after it", name, leeway, after-life, id.Expires.Sub(expiry))
				}
			}
		}
	}
}

// TestATokenThatExpiresWhileItIsAskedAbout is refused, to whoever waits for that answer
// and to whoever comes later.
func TestATokenThatExpiresWhileItIsAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expiry := time.Now().Add(time.Second).Truncate(time.Second)
		i := must(NewIntrospection(IntrospectionOptions{
			URL: "http://127.0.0.1:1/", Cache: time.Hour, Timeout: time.Minute, Claims: ClaimNames{User: "sub"},
		}))
		defer i.Close()
		i.client.Transport = transport(func(*http.Request) (string, error) {
			time.Sleep(time.Until(expiry)) // the bubble's time
			return fmt.Sprintf(`{"active": true, "sub": 7, "exp": %d}`, expiry.Unix()), nil
		})
		verdicts := make(chan error, 3)
		ask := func() {
			_, err := i.Authenticate(t.Context(), protocol.NewToken("opaque"), "")
			verdicts <- err
		}
		go ask()
		synctest.Wait()
		go ask() // waits for the same answer
		for range 2 {
			if err := <-verdicts; !errors.Is(err, ErrRefused) {
				t.Errorf("got %v, want a refusal", err)
			}
		}
		ask()
		if err := <-verdicts; !errors.Is(err, ErrRefused) {
			t.Errorf("who comes later: got %v, want a refusal", err)
		}
	})
}
