package edge

import (
	"net/http"
	"sync"

	"go.uber.org/zap"
)

const (
	// maxWarnings bounds how many warnings are remembered, because strangers choose what
	// they are about.
	maxWarnings = 200
	// maxShown is how many bytes of a header's value are logged.
	maxShown = 200
)

// warned remembers which warnings were logged, so that each is logged once.
type warned struct {
	mu   sync.Mutex
	seen map[[3]string]struct{} // guarded by mu; nil until the first warning
}

// first reports whether this warning was not logged before. It reports false when too
// many warnings are remembered already.
func (t *warned) first(what, of, at string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [3]string{what, of, at}
	if _, done := t.seen[key]; done || len(t.seen) >= maxWarnings {
		return false
	}
	if t.seen == nil {
		t.seen = map[[3]string]struct{}{}
	}
	t.seen[key] = struct{}{}
	return true
}

// warn logs a refusal that a setting may have caused, with the header's value and the
// variable's name. The page's author cannot see why: a browser only says that the
// connection failed.
func (e *Edge) warn(r *http.Request, bad refusal) {
	seen, host := shown(r.Header.Get("Origin")), shown(r.Host)
	switch bad.label {
	case badOrigin.label:
		if seen == "" {
			return // a cookie without an Origin does not come from a page
		}
		if e.warned.first(bad.label, seen, host) {
			e.o.Logger.Warn("refused a page: its origin is neither the websocket's host nor in BELFRY_ALLOWED_ORIGINS. If the page is yours, add its origin there; logged once for each origin",
				zap.String("origin", seen), zap.String("host", host), zap.Bool("tls", overTLS(r)), zap.String("variable", "BELFRY_ALLOWED_ORIGINS"), zap.Strings("allowed", e.o.AllowedOrigins))
		}
	case badHost.label:
		if e.warned.first(bad.label, host, "") {
			e.o.Logger.Warn("refused a request: its Host is not in BELFRY_ALLOWED_HOSTS. If it is a name of this server, add it there; logged once for each host",
				zap.String("host", host), zap.String("variable", "BELFRY_ALLOWED_HOSTS"), zap.Strings("allowed", e.o.AllowedHosts))
		}
	case addressLimit.label:
		peer := socketAddr(r.RemoteAddr)
		by := len(r.Header["X-Forwarded-For"]) + len(r.Header["Forwarded"])
		if by > 0 && !e.trusted(peer) && e.warned.first(bad.label, peer.String(), "") {
			e.o.Logger.Warn("refused a client: this address has too many connections, and it forwards the requests of others. If it is a proxy of yours, add it to BELFRY_TRUSTED_PROXIES, so that its clients are counted apart; logged once for each address",
				zap.String("address", peer.String()), zap.String("variable", "BELFRY_TRUSTED_PROXIES"))
		}
	}
}

func shown(text string) string { return text[:min(len(text), maxShown)] }
