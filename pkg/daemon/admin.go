package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// ErrNotLoopback is wrapped by Admin.Start's error if the address can be reached from other
// hosts and that was not allowed.
var ErrNotLoopback = errors.New("it has no authentication and may listen on 127.0.0.1, ::1 or localhost only; set BELFRY_ADMIN_ALLOW_REMOTE=true if nobody else can reach it, as in a container")

// AdminOptions configures an admin listener.
type AdminOptions struct {
	Listen      string              // host:port; port 0 chooses one
	AllowRemote bool                // Listen may be reached from other hosts
	Gatherer    prometheus.Gatherer // nil: no /metrics
	Ready       func() []string     // the reasons why not; empty: ready. nil: always ready
	Logger      *zap.Logger         // nil: nothing is logged
}

// Admin is the HTTP listener for operators and probes. It serves /health/live, /health/ready and
// /metrics, and what Handle adds, but no profiles. All methods may be called concurrently.
type Admin struct {
	options AdminOptions
	mux     *http.ServeMux
	server  *http.Server

	mu       sync.Mutex
	listener net.Listener  // guarded by mu
	served   chan struct{} // guarded by mu; closed when Serve has returned
}

// NewAdmin makes an Admin. Start opens the listener.
func NewAdmin(o AdminOptions) *Admin {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	a := &Admin{options: o, mux: http.NewServeMux()}
	a.server = &http.Server{
		Handler:           http.HandlerFunc(a.serve),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(o.Logger),
	}
	a.mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"live": true})
	})
	a.mux.HandleFunc("GET /health/ready", a.ready)
	if o.Gatherer != nil {
		a.mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	}
	return a
}

// Handle adds a handler for a pattern of http.ServeMux, at any time.
func (a *Admin) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// Start opens the listener and serves in the background until Stop.
func (a *Admin) Start() error {
	if err := a.allowed(); err != nil {
		return fmt.Errorf("open the admin listener on %q (BELFRY_ADMIN_LISTEN): %w", a.options.Listen, err)
	}
	l, err := net.Listen("tcp", a.options.Listen)
	if err != nil {
		return fmt.Errorf("open the admin listener (BELFRY_ADMIN_LISTEN): %w", err)
	}
	served := make(chan struct{})
	a.mu.Lock()
	a.listener, a.served = l, served
	a.mu.Unlock()
	go func() {
		defer close(served)
		if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.options.Logger.Error("admin listener failed: restart this process to get health checks and metrics back", zap.Error(err))
		}
	}()
	return nil
}

// Addr returns the address that it listens on, or "" before Start.
func (a *Admin) Addr() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// Stop closes the listener and waits for running requests, for half of the time until ctx ends
// and at most a second. Then it cuts them off: health checks must not delay a stop, and browsers
// open connections that they never use.
func (a *Admin) Stop(ctx context.Context) error {
	a.mu.Lock()
	served := a.served
	a.mu.Unlock()
	if served == nil {
		return nil
	}
	patient, cancel := context.WithTimeout(ctx, stopWithin(ctx))
	defer cancel()
	if err := a.server.Shutdown(patient); err != nil {
		a.options.Logger.Info("admin requests still running at shutdown were cut off", zap.Error(err))
		_ = a.server.Close() // its only error is that the listener is closed already
	}
	<-served
	return nil
}

// serve refuses requests with a foreign Host (DNS rebinding), with which a page of any site could
// read the answers. If AllowRemote is set, it accepts every Host: other hosts use their own names
// for this one, and the network must be closed anyway.
func (a *Admin) serve(w http.ResponseWriter, r *http.Request) {
	if !a.options.AllowRemote && !ownName(r.Host) {
		answer(w, http.StatusMisdirectedRequest, map[string]any{
			"error": "this listener is for this host alone: ask for 127.0.0.1 or localhost, or set BELFRY_ADMIN_ALLOW_REMOTE=true where the network is closed",
		})
		return
	}
	a.mux.ServeHTTP(w, r)
}

// ownName reports whether a Host header is an IP address or localhost, which DNS cannot redirect.
// HTTP/1.0 requests may have none.
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host) != nil
}

func stopWithin(ctx context.Context) time.Duration {
	const most = time.Second
	if deadline, bounded := ctx.Deadline(); bounded {
		return min(most, time.Until(deadline)/2)
	}
	return most
}

// allowed returns an error for an address that other hosts can reach, unless AllowRemote is set.
func (a *Admin) allowed() error {
	host, _, err := net.SplitHostPort(a.options.Listen)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if a.options.AllowRemote || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return ErrNotLoopback
}

func (a *Admin) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := a.options.Ready()
	if len(reasons) == 0 {
		answer(w, http.StatusOK, map[string]any{"ready": true})
		return
	}
	answer(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reasons": reasons})
}

// answer sends JSON that must not be cached.
func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
