package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestLoginRefusesWhatIsWrong(t *testing.T) {
	b := start(t).browser()
	b.want(http.StatusUnauthorized, "POST", "/api/login", map[string]string{"name": "bob", "password": "wrong"})
	b.want(http.StatusUnauthorized, "POST", "/api/login", map[string]string{"name": "nobody", "password": "secret bob"})
	b.want(http.StatusBadRequest, "POST", "/api/login", "not json")
	b.want(http.StatusBadRequest, "POST", "/api/login", `{"name":"bob","password":"x","admin":true}`)
	for _, more := range []string{`{}`, ` trailing`, `,`, `]`, "\n{\"name\":\"alice\"}"} {
		answer := b.want(http.StatusBadRequest, "POST", "/api/login", `{"name":"bob","password":"secret bob"}`+more)
		if text := fmt.Sprint(answer); !strings.Contains(text, "one object and nothing more") {
			t.Errorf("what follows is %q, the answer %s", more, text)
		}
	}
	b.want(http.StatusRequestEntityTooLarge, "POST", "/api/login", `{"name":"`+string(bytes.Repeat([]byte("a"), 70<<10))+`"}`)
	for _, path := range []string{"/api/me", "/api/token", "/api/jobs", "/api/jobs/1", "/api/jobs/1/events"} {
		b.want(http.StatusUnauthorized, "GET", path, nil)
	}
	b.want(http.StatusNotFound, "GET", "/api/nothing", nil)
}

// claims are those of a fresh token.
func (b *browser) claims() jwt.MapClaims {
	b.tw.t.Helper()
	answer := b.want(http.StatusOK, "GET", "/api/token", nil).(map[string]any)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(answer["token"].(string), claims, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithAudience("belfry"), jwt.WithIssuer("tower"))
	if err != nil {
		b.tw.t.Fatal(err)
	}
	return claims
}

func TestTheTokenSaysWhoAndWhichSession(t *testing.T) {
	tw := start(t)
	first, second := tw.login("bob"), tw.login("bob")
	claims := first.claims()
	if _, isNumber := claims["user_id"].(float64); !isNumber {
		t.Errorf("user_id is %T", claims["user_id"])
	}
	sid, _ := claims["sid"].(string)
	if sid == "" || sid != first.claims()["sid"] {
		t.Errorf("two tokens of one session have sid %q and %q", sid, first.claims()["sid"])
	}
	if other := second.claims()["sid"]; other == sid {
		t.Errorf("another session has the sid %q too", other)
	}
	if secret := first.cookie(); strings.Contains(secret, sid) || strings.Contains(sid, secret) {
		t.Error("the sid gives the cookie's secret away")
	}
}

// cookie is the secret of the browser's session.
func (b *browser) cookie() string {
	b.tw.t.Helper()
	for _, c := range b.client.Jar.Cookies(b.tw.url()) {
		if c.Name == "tower_session" {
			return c.Value
		}
	}
	b.tw.t.Fatal("there is no session cookie")
	return ""
}

// wantEnded calls the API with a session that has ended.
func (b *browser) wantEnded(reason string) {
	b.tw.t.Helper()
	if answer := b.want(http.StatusUnauthorized, "GET", "/api/me", nil).(map[string]any); answer["reason"] != reason {
		b.tw.t.Errorf("the reason is %v, want %s", answer, reason)
	}
}

func (tw *tower) closedSessions() []closed {
	tw.mu.Lock()
	defer tw.mu.Unlock()
	return slices.Clone(tw.closed)
}

func TestALoginAboveTheLimitEndsTheOldestSession(t *testing.T) {
	tw := start(t)
	first := tw.login("bob")
	sid := first.claims()["sid"].(string)
	second := tw.login("bob")
	if closed := tw.closedSessions(); len(closed) > 0 {
		t.Errorf("closed %v below the limit", closed)
	}
	third := tw.login("bob")
	first.wantEnded("limit_reached")
	second.want(http.StatusOK, "GET", "/api/me", nil)
	me := third.want(http.StatusOK, "GET", "/api/me", nil).(map[string]any)["user"].(map[string]any)
	tw.waitEmitted("control-limit_reached_"+fmt.Sprint(me["id"]), func(all []map[string]any) bool { return len(all) == 1 })
	if want := []closed{{int64(me["id"].(float64)), sid}}; !slices.Equal(tw.closedSessions(), want) {
		t.Errorf("closed %v, want %v", tw.closedSessions(), want)
	}
	first.want(http.StatusNoContent, "POST", "/api/logout", nil) // ends nothing any more
	if n := len(tw.closedSessions()); n != 1 {
		t.Errorf("closed %d sessions, want 1", n)
	}
}

func TestALogoutEndsTheSessionEverywhere(t *testing.T) {
	tw := start(t)
	bob, elsewhere := tw.login("bob"), tw.login("bob")
	tab := tw.browser() // of the same browser: it has the same cookie
	tab.client.Jar.SetCookies(tw.url(), []*http.Cookie{{Name: "tower_session", Value: bob.cookie(), Path: "/"}})
	claims := bob.claims()
	bob.want(http.StatusNoContent, "POST", "/api/logout", nil)
	bob.wantEnded("not_logged_in")
	tab.wantEnded("logged_out")
	elsewhere.want(http.StatusOK, "GET", "/api/me", nil)
	if want := []closed{{int64(claims["user_id"].(float64)), claims["sid"].(string)}}; !slices.Equal(tw.closedSessions(), want) {
		t.Errorf("closed %v, want %v", tw.closedSessions(), want)
	}
	tw.login("bob") // the ended one does not count
	elsewhere.want(http.StatusOK, "GET", "/api/me", nil)
}
