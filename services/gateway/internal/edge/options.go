package edge

import (
	"errors"
	"fmt"
	stdlog "log"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/services/gateway/internal/connection"
	"belfry/services/gateway/internal/wsconn"
)

// Options configures an Edge. A limit of zero means the default.
type Options struct {
	Logger      *zap.Logger           // required
	Registerer  prometheus.Registerer // nil: the metrics are not registered
	Connections *connection.Factory   // required
	// Ready returns the reasons why new connections must be refused with 503; empty means
	// ready. It is called for each handshake, concurrently. Required.
	Ready func() []string
	// Conn holds the limits of each connection. Its Slow counter is also the hub's.
	Conn wsconn.Options

	// AllowedOrigins lists `scheme://host[:port]`, `scheme://*.host`, `scheme://host:*` or
	// `null`. If it is empty, Origin's host and port must equal Host's, and its scheme must
	// be https if the client came over TLS. "*" alone allows every origin.
	AllowedOrigins []string
	// AllowedHosts lists `host[:port]` as in the Host header; without a port any port
	// matches. If it is empty, every host is served.
	AllowedHosts []string
	// TrustedProxies are the networks of proxies whose X-Forwarded-For or Forwarded header
	// is believed.
	TrustedProxies []netip.Prefix

	// TokenCookies are the names of the cookies that may hold the token, in order of
	// preference. If it is empty, cookies are ignored.
	TokenCookies []string

	MaxConnections int     // in the process (default 50,000); more: 503
	MaxPerUser     int     // (default 200); more: 429
	MaxPerAddress  int     // (default 5,000: offices share addresses); more: 429
	HandshakeRate  float64 // handshakes a second (default 2,000); more: 503
	HandshakeBurst int     // (default 4,000)
	MaxToken       int     // bytes (default 8 KiB); more: 400
	// DecisionTimeout is how long to wait for a worker's decision (default 5 s); then 503.
	DecisionTimeout time.Duration
	// RetryAfter is how long refused clients are told to wait at least (default 5 s, in
	// whole seconds); up to as much again is added at random.
	RetryAfter time.Duration
}

const (
	maxHeaderBytes    = 32 << 10
	maxHeaders        = 100
	readHeaderTimeout = 5 * time.Second
	// readTimeout bounds a whole request with its body, for which net/http waits before
	// it answers. It is longer than a handshake may take and ends with the upgrade.
	readTimeout = 15 * time.Second
	idleTimeout = 15 * time.Second
)

func (o Options) withDefaults() Options {
	o.Conn = o.Conn.WithDefaults()
	o.MaxConnections = orDefault(o.MaxConnections, 50_000)
	o.MaxPerUser = orDefault(o.MaxPerUser, 200)
	o.MaxPerAddress = orDefault(o.MaxPerAddress, 5_000)
	o.HandshakeRate = orDefault(o.HandshakeRate, 2_000)
	o.HandshakeBurst = orDefault(o.HandshakeBurst, 4_000)
	o.MaxToken = orDefault(o.MaxToken, 8<<10)
	o.DecisionTimeout = orDefault(o.DecisionTimeout, 5*time.Second)
	o.RetryAfter = orDefault(o.RetryAfter, 5*time.Second)
	return o
}

func orDefault[T int | float64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func (o Options) validate() error {
	switch {
	case o.Logger == nil || o.Connections == nil || o.Ready == nil:
		return errors.New("edge needs a logger, a factory of connections and a readiness function")
	case o.MaxConnections < 1 || o.MaxPerUser < 1 || o.MaxPerAddress < 1:
		return errors.New("connection limits must be at least 1")
	case o.HandshakeRate <= 0 || o.HandshakeBurst < 1:
		return errors.New("the handshake rate must be positive and its burst at least 1")
	case o.MaxToken < 1 || o.DecisionTimeout <= 0 || o.RetryAfter < time.Second:
		return errors.New("the token limit and the time-outs must be positive, retry-after at least 1s")
	}
	if err := o.Conn.Validate(); err != nil {
		return fmt.Errorf("connection options: %w", err)
	}
	return nil
}

// NewServer returns an HTTP server for an Edge, with limits on the time and size of a
// request. The caller listens, serves and shuts it down. Shutdown does not close
// websockets; the hub does.
func NewServer(handler http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog(log),
	}
}

// errorLog returns a logger for what the HTTP server reports: failed accepts and panics.
func errorLog(log *zap.Logger) *stdlog.Logger {
	out, err := zap.NewStdLogAt(log.Named("http"), zap.WarnLevel)
	if err != nil { // only for a level that zap does not know
		return zap.NewStdLog(log)
	}
	return out
}
