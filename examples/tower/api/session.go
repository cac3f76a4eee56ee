package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/examples/tower/store"
)

const sessionCookie = "tower_session"

// endedText is what a page is told whose session has ended. The reason goes
// with it, so that a program need not read the text.
var endedText = map[string]string{
	store.EndedLogout: "you have logged out, perhaps in another tab: log in again",
	store.EndedLimit:  "you have logged in elsewhere, and this session has ended: log in again",
}

type sessionHandler func(w http.ResponseWriter, r *http.Request, in store.Session)

// withSession asks for a session, and says why when there is none.
func (a *api) withSession(next sessionHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(sessionCookie)
		if err != nil {
			write(w, http.StatusUnauthorized, map[string]string{"error": "log in first", "reason": "not_logged_in"})
			return
		}
		in, err := a.Store.Session(r.Context(), cookie.Value)
		switch ended := new(store.EndedError); {
		case errors.As(err, &ended):
			write(w, http.StatusUnauthorized, map[string]string{"error": endedText[ended.Reason], "reason": ended.Reason})
		case errors.Is(err, store.ErrNotFound):
			fail(w, http.StatusUnauthorized, "the session has ended: log in again")
		case err != nil:
			a.broken(w, r, err)
		default:
			next(w, r, in)
		}
	}
}

type userHandler func(w http.ResponseWriter, r *http.Request, u store.User)

func (a *api) withUser(next userHandler) http.HandlerFunc {
	return a.withSession(func(w http.ResponseWriter, r *http.Request, in store.Session) { next(w, r, in.User) })
}

func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Password string }
	if !read(w, r, &in) {
		return
	}
	done, ok := a.logins.turn(r.Context())
	if !ok {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "too many log in at once: try again in a few seconds")
		return
	}
	defer done()
	address := clientAddress(r)
	if !a.logins.begin(address) {
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "too many wrong logins from this address: wait a minute")
		return
	}
	session, token, ended, err := a.Store.Login(r.Context(), in.Name, in.Password, a.SessionLimit)
	if errors.Is(err, store.ErrNotFound) {
		fail(w, http.StatusUnauthorized, "wrong name or password")
		return
	}
	a.logins.right(address)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	// The sessions have ended, whether who asked waits for the answer or not.
	after, user := context.WithoutCancel(r.Context()), session.User.ID
	if len(ended) > 0 {
		a.Emit(after, "control-limit_reached_"+strconv.FormatInt(user, 10), []byte(`{"group_name":"control","reason":"limit_reached"}`))
	}
	for _, id := range ended {
		a.Disconnect(after, user, id)
	}
	setSession(w, r, token, 0)
	write(w, http.StatusOK, session.User)
}

// logout ends the session and its websockets. Where there is no session, there
// is none afterwards either.
func (a *api) logout(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err == nil {
		var in store.Session
		if in, err = a.Store.Session(r.Context(), cookie.Value); err == nil {
			if err = a.Store.Logout(r.Context(), in.ID); err == nil {
				a.Disconnect(context.WithoutCancel(r.Context()), in.User.ID, in.ID)
			}
		}
		if ended := new(store.EndedError); err != nil && !errors.As(err, &ended) && !errors.Is(err, store.ErrNotFound) {
			a.broken(w, r, err)
			return
		}
	}
	setSession(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

// setSession sets the session's cookie; age is in seconds, 0 lasts as long as
// the browser, below 0 removes it.
func setSession(w http.ResponseWriter, r *http.Request, token string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever nginx speaks TLS; plain HTTP is the demonstration on loopback
		Name: sessionCookie, Value: token, Path: "/", MaxAge: age, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

func (a *api) me(w http.ResponseWriter, _ *http.Request, u store.User) {
	write(w, http.StatusOK, map[string]any{"user": u, "websocket": a.WebSocketURL})
}

// token issues the short-lived token that the websocket is opened with. It
// names the session, so that the session's websockets can be closed with it.
func (a *api) token(w http.ResponseWriter, r *http.Request, in store.Session) {
	expires := time.Now().Add(a.TokenLife)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": in.User.ID, "sid": in.ID,
		"iss": "tower", "aud": "belfry", "iat": time.Now().Unix(), "exp": expires.Unix(),
	}).SignedString(a.TokenKey)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	write(w, http.StatusOK, map[string]any{"token": signed, "expires": expires.UnixMilli()})
}
