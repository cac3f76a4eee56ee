package edge

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// Edge is an http.Handler for /websocket and /websocket/ that accepts websockets.
type Edge struct {
	o        Options
	origins  []origin // nil: a page must come from the websocket's own host
	hosts    []origin // without schemes; nil: every host is served
	warned   warned
	anyone   bool // every origin is allowed
	slots    *slots
	rate     *rate
	shares   *shares
	metrics  *metrics
	draining atomic.Bool
	serving  sync.WaitGroup // open connections
}

// New makes an Edge. Its error names the option that is wrong.
func New(o Options) (*Edge, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	e := &Edge{o: o, slots: newSlots(o), rate: newRate(o.HandshakeRate, o.HandshakeBurst),
		shares: newShares(o.HandshakeRate, o.HandshakeBurst), metrics: newMetrics(o.Registerer)}
	for _, text := range o.AllowedHosts {
		host, err := parseHost(text)
		if err != nil {
			return nil, fmt.Errorf("BELFRY_ALLOWED_HOSTS: %w", err)
		}
		e.hosts = append(e.hosts, host)
	}
	if len(o.AllowedOrigins) == 1 && o.AllowedOrigins[0] == "*" {
		e.anyone = true
		return e, nil
	}
	for _, text := range o.AllowedOrigins {
		allowed, err := parseAllowed(text)
		if err != nil {
			return nil, fmt.Errorf("BELFRY_ALLOWED_ORIGINS: %w", err)
		}
		e.origins = append(e.origins, allowed)
	}
	return e, nil
}

// Drain makes the Edge refuse every further handshake with 503.
func (e *Edge) Drain() { e.draining.Store(true) }

// Wait waits until all connections have ended. Call it after the listener was closed and
// the hub was drained.
func (e *Edge) Wait() { e.serving.Wait() }

// ServeHTTP implements http.Handler.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outcome := e.handshake(w, r)
	e.metrics.handshakes.WithLabelValues(outcome.label).Inc()
	if outcome.status != 0 {
		e.warn(r, outcome)
		e.refuse(w, r, outcome)
	}
}

// handshake handles a request. It returns the refusal; one without a status means that
// the request needs no answer, because it was upgraded or the client is gone.
func (e *Edge) handshake(w http.ResponseWriter, r *http.Request) refusal {
	shown := e.credentials(r)
	if bad, refused := e.check(r, shown); refused {
		return bad
	}
	token, bad, refused := e.token(shown)
	if refused {
		return bad
	}
	remote := e.remote(r)
	switch {
	case !e.shares.allow(remote):
		return addressTooFast
	case !e.rate.allow():
		return tooFast
	}
	slot, bad, refused := e.slots.acquire(remote)
	if refused {
		return bad
	}
	return e.ask(w, r, token, shown.subprotocol, remote, slot)
}

// check makes the checks that need no token and change no counts.
func (e *Edge) check(r *http.Request, shown credentials) (refusal, bool) {
	if r.URL.Path != "/websocket" && r.URL.Path != "/websocket/" {
		return notFound, true
	}
	if fields(r.Header) > maxHeaders {
		return tooManyHeaders, true
	}
	if bad, refused := checkUpgrade(r); refused {
		return bad, true
	}
	switch {
	case !e.hostAllowed(r.Host):
		return badHost, true
	case !e.originAllowed(r, shown):
		return badOrigin, true
	case e.draining.Load():
		return draining, true
	case len(e.o.Ready()) > 0:
		return notReady, true
	}
	return refusal{}, false
}

// fields returns the number of header fields; each repetition of a name counts.
func fields(h http.Header) int {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	return n
}

// checkUpgrade checks the handshake itself (RFC 6455 4.2.1).
func checkUpgrade(r *http.Request) (refusal, bool) {
	keys := r.Header["Sec-Websocket-Key"]
	switch {
	case r.Method != http.MethodGet:
		return badMethod, true
	case !r.ProtoAtLeast(1, 1), !hasToken(r.Header["Connection"], "upgrade"), !hasToken(r.Header["Upgrade"], "websocket"):
		return notUpgrade, true
	case len(r.Header["Sec-Websocket-Version"]) != 1 || r.Header.Get("Sec-WebSocket-Version") != "13":
		return badVersion, true
	case len(keys) != 1:
		return badKey, true
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		return badKey, true
	}
	return refusal{}, false
}

// hasToken reports whether a header's comma-separated lists contain a word, in any case.
func hasToken(values []string, word string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

func socketAddr(text string) netip.Addr {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func (e *Edge) trusted(addr netip.Addr) bool {
	for _, p := range e.o.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// remoteText returns an address as text; an unknown one is empty.
func remoteText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// upgrade makes the websocket. It returns nil if that failed, usually because the client
// is gone.
func (e *Edge) upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) *wsconn.Conn {
	ws, err := wsconn.Accept(w, r, subprotocol, &e.o.Conn)
	if err != nil {
		e.o.Logger.Debug("websocket handshake failed", zap.Error(err))
		return nil
	}
	return ws
}

// accepted reports whether the worker lets the connection in.
func accepted(d protocol.Decision) bool { return d.Verdict == protocol.VerdictAccept }
