package edge

import (
	"net/http"
	"sync"

	"go.uber.org/zap"
)

const (
	// maxTold bounds what is remembered of what was said; strangers choose it.
	maxTold = 200
	// maxShown bounds a header's value in a line, in bytes.
	maxShown = 200
)

// told says each thing once: of a page that is refused, a browser tells its author
// nothing but that the connection failed.
type told struct {
	mu   sync.Mutex
	seen map[[3]string]struct{} // guarded by mu; nothing was said yet: nil
}

// first reports whether this was not said before, and there is room to remember it.
func (t *told) first(what, of, at string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [3]string{what, of, at}
	if _, said := t.seen[key]; said || len(t.seen) >= maxTold {
		return false
	}
	if t.seen == nil {
		t.seen = map[[3]string]struct{}{}
	}
	t.seen[key] = struct{}{}
	return true
}

// tell warns of a refusal that a setting may be the cause of, with what was seen and
// the variable.
func (e *Edge) tell(r *http.Request, bad refusal) {
	seen, host := shown(r.Header.Get("Origin")), shown(r.Host)
	switch bad.label {
	case badOrigin.label:
		if seen == "" {
			return // a cookie without an Origin: no page
		}
		if e.told.first(bad.label, seen, host) {
			e.o.Logger.Warn("a page was refused: its origin is neither the websocket's host nor in BELFRY_ALLOWED_ORIGINS. Add it there, if the page is yours; said once for each",
				zap.String("origin", seen), zap.String("host", host), zap.Bool("tls", overTLS(r)), zap.String("variable", "BELFRY_ALLOWED_ORIGINS"), zap.Strings("allowed", e.o.AllowedOrigins))
		}
	case badHost.label:
		if e.told.first(bad.label, host, "") {
			e.o.Logger.Warn("a request was refused: BELFRY_ALLOWED_HOSTS does not name its Host. Add it there, if it is a name of yours; said once for each",
				zap.String("host", host), zap.String("variable", "BELFRY_ALLOWED_HOSTS"), zap.Strings("allowed", e.o.AllowedHosts))
		}
	case addressLimit.label:
		peer := socketAddr(r.RemoteAddr)
		by := len(r.Header["X-Forwarded-For"]) + len(r.Header["Forwarded"])
		if by > 0 && !e.trusted(peer) && e.told.first(bad.label, peer.String(), "") {
			e.o.Logger.Warn("many clients count as one address, which says that it forwards others: name it in BELFRY_TRUSTED_PROXIES, if it is a proxy of yours; said once for each",
				zap.String("address", peer.String()), zap.String("variable", "BELFRY_TRUSTED_PROXIES"))
		}
	}
}

func shown(text string) string { return text[:min(len(text), maxShown)] }
