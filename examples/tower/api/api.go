// Package api is the example Tower's HTTP API, on port 8050: login, jobs, their
// events, the short-lived token for the websocket, and the answer to the
// worker's authorization question.
//
// Errors are JSON, {"error": "..."}, with the status that fits. Cookies carry the
// login session; requests that change something need the header
// X-Requested-With, which a foreign page cannot send without being asked first.
package api

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
)

// Options configures the API.
type Options struct {
	Store  *store.Store
	Runner *runner.Runner
	Emit   runner.Emit
	Log    *zap.Logger
	// TokenKey signs websocket tokens (HS256); the workers verify with the same.
	TokenKey []byte
	// TokenLife is how long a websocket token is valid.
	TokenLife time.Duration
	// AuthorizeSecret is what the worker sends as bearer token with its question.
	AuthorizeSecret string
	// SessionLimit is how many sessions a user may have; a login above it ends
	// the oldest and tells the user's pages through control-limit_reached.
	SessionLimit int
	// WebSocketURL is where the page finds the gateway; empty: /websocket of the
	// page's own address.
	WebSocketURL string
	// Web serves the page.
	Web http.Handler
}

// api holds the handlers.
type api struct{ Options }

// maxBody bounds a request's body in bytes.
const maxBody = 64 << 10

const sessionCookie = "tower_session"

// New returns the handler of everything on port 8050.
func New(o Options) http.Handler {
	a := &api{o}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", a.login)
	mux.HandleFunc("POST /api/logout", a.logout)
	mux.HandleFunc("GET /api/me", a.withUser(a.me))
	mux.HandleFunc("GET /api/token", a.withUser(a.token))
	mux.HandleFunc("GET /api/templates", a.withUser(a.templates))
	mux.HandleFunc("GET /api/jobs", a.withUser(a.jobs))
	mux.HandleFunc("POST /api/jobs", a.withUser(a.launch))
	mux.HandleFunc("GET /api/jobs/{id}", a.withUser(a.job))
	mux.HandleFunc("GET /api/jobs/{id}/events", a.withUser(a.events))
	mux.HandleFunc("POST /api/jobs/{id}/cancel", a.withUser(a.cancel))
	mux.HandleFunc("POST /internal/authorize", a.authorize)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, map[string]bool{"ok": true}) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "no such address") })
	mux.Handle("/", o.Web)
	return guard(mux)
}

// guard bounds bodies and refuses what a foreign page's form could send.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if r.Method == http.MethodPost && r.URL.Path != "/internal/authorize" && r.Header.Get("X-Requested-With") == "" {
			fail(w, http.StatusForbidden, "send the header X-Requested-With with requests that change something")
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

type userHandler func(w http.ResponseWriter, r *http.Request, u store.User)

func (a *api) withUser(next userHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(sessionCookie)
		if err != nil {
			fail(w, http.StatusUnauthorized, "log in first")
			return
		}
		u, err := a.Store.Session(r.Context(), cookie.Value)
		if errors.Is(err, store.ErrNotFound) {
			fail(w, http.StatusUnauthorized, "the session has ended: log in again")
			return
		}
		if err != nil {
			a.broken(w, r, err)
			return
		}
		next(w, r, u)
	}
}

func (a *api) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name, Password string }
	if !read(w, r, &in) {
		return
	}
	u, token, ended, err := a.Store.Login(r.Context(), in.Name, in.Password, a.SessionLimit)
	if errors.Is(err, store.ErrNotFound) {
		fail(w, http.StatusUnauthorized, "wrong name or password")
		return
	}
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if ended > 0 {
		a.Emit(r.Context(), "control-limit_reached_"+strconv.FormatInt(u.ID, 10), []byte(`{"group_name":"control","reason":"limit_reached"}`))
	}
	setSession(w, r, token, 0)
	write(w, http.StatusOK, u)
}

func (a *api) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if err := a.Store.Logout(r.Context(), cookie.Value); err != nil {
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

// token issues the short-lived token that the websocket is opened with.
func (a *api) token(w http.ResponseWriter, r *http.Request, u store.User) {
	expires := time.Now().Add(a.TokenLife)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"user_id": u.ID, "iss": "tower", "aud": "belfry", "iat": time.Now().Unix(), "exp": expires.Unix(),
	}).SignedString(a.TokenKey)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, http.StatusOK, map[string]any{"token": signed, "expires": expires.UnixMilli()})
}

// authorize answers the worker: which of these groups may the user see?
func (a *api) authorize(w http.ResponseWriter, r *http.Request) {
	sent := r.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(sent), []byte("Bearer "+a.AuthorizeSecret)) != 1 {
		fail(w, http.StatusUnauthorized, "this address is for the worker")
		return
	}
	var in struct {
		User   int64    `json:"user"`
		Groups []string `json:"groups"`
	}
	if !read(w, r, &in) {
		return
	}
	u, err := a.Store.UserByID(r.Context(), in.User)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		a.broken(w, r, err)
		return
	}
	allowed := []string{}
	for _, g := range in.Groups {
		ok, err := a.maySee(r.Context(), u, g)
		if err != nil {
			a.broken(w, r, err)
			return
		}
		if ok {
			allowed = append(allowed, g)
		}
	}
	write(w, http.StatusOK, map[string]any{"allowed": allowed})
}

// broken logs an error that is ours and tells the client no more than that.
func (a *api) broken(w http.ResponseWriter, r *http.Request, err error) {
	a.Log.Error("request failed", zap.String("path", r.URL.Path), zap.Error(err))
	fail(w, http.StatusInternalServerError, "something went wrong here: try again")
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

func fail(w http.ResponseWriter, status int, text string) {
	write(w, status, map[string]string{"error": text})
}

// read decodes a JSON body and answers what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
			fail(w, http.StatusRequestEntityTooLarge, "the body is too big")
		} else {
			fail(w, http.StatusBadRequest, "the body is not the expected JSON object")
		}
		return false
	}
	return true
}
