// Package api is the example Tower's HTTP API, on port 8050: login, jobs, their
// events, schedules, the short-lived token for the websocket, and the answer to
// the worker's authorization question.
//
// Errors are JSON, {"error": "..."}, with the status that fits. Cookies carry the
// login session; requests that change something need the header
// X-Requested-With, which a foreign page cannot send without being asked first.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
)

// Options configures the API.
type Options struct {
	Store     *store.Store
	Runner    *runner.Runner
	Schedules *runner.Schedules
	Emit      runner.Emit
	// Disconnect closes the websockets of a user's session, which has ended. It
	// must not block for long and reports nothing.
	Disconnect func(ctx context.Context, user int64, session string)
	Log        *zap.Logger
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
	// Hosts are the names under which the page is served, without ports. Addresses
	// and localhost always are.
	Hosts []string
	// Web serves the page.
	Web http.Handler
}

// api holds the handlers.
type api struct {
	Options
	logins *logins
}

// maxBody bounds a request's body in bytes.
const maxBody = 64 << 10

// New returns the handler of everything on port 8050.
func New(o Options) http.Handler {
	a := &api{o, newLogins()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", a.login)
	mux.HandleFunc("POST /api/logout", a.logout)
	mux.HandleFunc("GET /api/me", a.withUser(a.me))
	mux.HandleFunc("GET /api/token", a.withSession(a.token))
	mux.HandleFunc("GET /api/templates", a.withUser(a.templates))
	mux.HandleFunc("GET /api/jobs", a.withUser(a.jobs))
	mux.HandleFunc("POST /api/jobs", a.withUser(a.launch))
	mux.HandleFunc("GET /api/jobs/summary", a.withUser(a.summary))
	mux.HandleFunc("GET /api/jobs/{id}", a.withUser(a.job))
	mux.HandleFunc("GET /api/jobs/{id}/events", a.withUser(a.events))
	mux.HandleFunc("POST /api/jobs/{id}/cancel", a.withUser(a.cancel))
	mux.HandleFunc("GET /api/schedules", a.withUser(a.schedules))
	mux.HandleFunc("POST /api/schedules", a.withUser(a.schedule))
	mux.HandleFunc("PATCH /api/schedules/{id}", a.withUser(a.enableSchedule))
	mux.HandleFunc("DELETE /api/schedules/{id}", a.withUser(a.deleteSchedule))
	mux.HandleFunc("POST /internal/authorize", a.authorize)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, map[string]bool{"ok": true}) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "no such address") })
	mux.Handle("/", o.Web)
	return a.guard(mux)
}

// guard bounds bodies, refuses what a foreign page's form could send, and names
// that are not ours: a foreign name that was pointed here (DNS rebinding) would be
// of the same origin as its page. The worker, which shows its secret, may call us
// what it likes.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if r.URL.Path != "/internal/authorize" && !a.ours(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "this host name is not served here: add it to --hosts (TOWER_HOSTS)")
			return
		}
		changes := r.Method != http.MethodGet && r.Method != http.MethodHead
		if changes && r.URL.Path != "/internal/authorize" && r.Header.Get("X-Requested-With") == "" {
			fail(w, http.StatusForbidden, "send the header X-Requested-With with requests that change something")
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// ours reports that a Host header names this application.
func (a *api) ours(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	return name == "localhost" || net.ParseIP(name) != nil ||
		slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// broken logs an error that is ours and tells the client no more than that.
func (a *api) broken(w http.ResponseWriter, r *http.Request, err error) {
	a.Log.Error("request failed", zap.String("path", r.URL.Path), zap.Error(err))
	fail(w, http.StatusInternalServerError, "something went wrong here: try again")
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // it is one user's, and true for now
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

func fail(w http.ResponseWriter, status int, text string) {
	write(w, status, map[string]string{"error": text})
}

// read decodes a body that is one JSON object and nothing more, and answers
// what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err, wrong := dec.Decode(into), "the body is not the expected JSON object"
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return true
		}
		wrong = "the body goes on after the JSON object: send one object and nothing more"
	}
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		fail(w, http.StatusRequestEntityTooLarge, "the body is too big")
	} else {
		fail(w, http.StatusBadRequest, wrong)
	}
	return false
}
