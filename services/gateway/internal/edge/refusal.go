package edge

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// refusal is an answer that is not an upgrade. Without a status, only the
// outcome's label counts.
type refusal struct {
	status int
	label  string
	text   string
	retry  bool // with Retry-After
}

// Labels of outcomes that are not refused with a status.
const (
	labelAccepted = "accepted"
	labelToken    = "token_refused"
	labelBroken   = "broken"
	labelGone     = "gone"
)

// The refusals.
var (
	notFound       = refusal{status: 404, label: "not_found", text: "there is nothing here but /websocket"}
	tooManyHeaders = refusal{status: 431, label: "headers", text: "too many header fields"}
	badMethod      = refusal{status: 405, label: "method", text: "a websocket handshake uses GET"}
	notUpgrade     = refusal{status: 426, label: "not_websocket", text: "this is a websocket endpoint: HTTP/1.1 with Upgrade: websocket"}
	badVersion     = refusal{status: 426, label: "version", text: "the websocket version must be 13"}
	badKey         = refusal{status: 400, label: "key", text: "Sec-WebSocket-Key must be there once, 16 bytes in base64"}
	badHost        = refusal{status: 421, label: "host", text: "this host is not served here"}
	badOrigin      = refusal{status: 403, label: "origin", text: "this origin is not allowed"}
	badToken       = refusal{status: 400, label: "token_form", text: "the token is too long or has characters that no token has"}
	manyTokens     = refusal{status: 400, label: "token_form", text: "the request has more than one token"}
	loneProtocol   = refusal{status: 400, label: "token_form", text: "Sec-WebSocket-Protocol has a token and nothing to agree to: ask for a second subprotocol, such as belfry"}
	noToken        = refusal{status: 401, label: "no_token", text: "a token is needed: ?token=, Authorization: Bearer, Sec-WebSocket-Protocol, or a cookie"}
	draining       = refusal{status: 503, label: "draining", text: "this gateway is stopping", retry: true}
	notReady       = refusal{status: 503, label: "not_ready", text: "events are unavailable, try again later", retry: true}
	noDecision     = refusal{status: 503, label: "no_decision", text: "nobody could check the token, try again later", retry: true}
	tooFast        = refusal{status: 503, label: "rate", text: "too many handshakes, try again later", retry: true}
	addressTooFast = refusal{status: 429, label: "rate_address", text: "too many handshakes from this address, try again later", retry: true}
	processLimit   = refusal{status: 503, label: "limit_process", text: "too many connections, try again later", retry: true}
	addressLimit   = refusal{status: 429, label: "limit_address", text: "too many connections from this address", retry: true}
	userLimit      = refusal{status: 429, label: "limit_user", text: "too many connections of this user", retry: true}
)

// refusals lists them all, for the metric's series.
var refusals = []refusal{
	notFound, tooManyHeaders, badMethod, notUpgrade, badVersion, badKey, badHost, badOrigin, badToken, manyTokens, loneProtocol,
	noToken, draining, notReady, noDecision, tooFast, addressTooFast, processLimit, addressLimit, userLimit,
}

// refuse answers and closes the connection: whoever is refused does not keep a
// descriptor for the next try.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, bad refusal) {
	h := w.Header()
	h.Set("Connection", "close")
	switch bad.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Add("Connection", "Upgrade") // net/http closes for the first value alone
		h.Set("Sec-WebSocket-Version", "13")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="belfry"`)
	}
	if bad.retry {
		h.Set("Retry-After", e.retryAfter())
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(bad.status)
	body, _ := json.Marshal(map[string]string{"error": bad.text}) // strings always encode
	_, _ = w.Write(append(body, '\n'))
	if e.o.Logger.Core().Enabled(zap.DebugLevel) {
		e.o.Logger.Debug("handshake refused", zap.Int("status", bad.status), zap.String("outcome", bad.label),
			zap.String("path", r.URL.Path), zap.String("remote", remoteText(e.remote(r))))
	}
}

// retryAfter is in whole seconds, spread so that refused clients do not come
// back together.
func (e *Edge) retryAfter() string {
	least := int(e.o.RetryAfter / time.Second)
	return strconv.Itoa(least + rand.IntN(least+1))
}
