package edge

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// refusal is the outcome of a handshake. Without a status it is not an HTTP refusal, and
// only the label has a meaning.
type refusal struct {
	status int
	label  string // in metrics
	text   string // for the client
	retry  bool   // the answer has a Retry-After header
}

// Labels of outcomes without an HTTP status.
const (
	labelAccepted = "accepted"
	labelToken    = "token_refused"
	labelBroken   = "broken"
	labelGone     = "gone"
)

// The refusals.
var (
	notFound       = refusal{status: 404, label: "not_found", text: "not found: the websocket is at /websocket"}
	tooManyHeaders = refusal{status: 431, label: "headers", text: "too many header fields"}
	badMethod      = refusal{status: 405, label: "method", text: "a websocket handshake uses GET"}
	notUpgrade     = refusal{status: 426, label: "not_websocket", text: "this is a websocket endpoint: HTTP/1.1 with Upgrade: websocket"}
	badVersion     = refusal{status: 426, label: "version", text: "the websocket version must be 13"}
	badKey         = refusal{status: 400, label: "key", text: "there must be one Sec-WebSocket-Key, of 16 bytes in base64"}
	badHost        = refusal{status: 421, label: "host", text: "this host is not served here"}
	badOrigin      = refusal{status: 403, label: "origin", text: "this origin is not allowed"}
	badToken       = refusal{status: 400, label: "token_form", text: "the token is too long or has characters that no token has"}
	manyTokens     = refusal{status: 400, label: "token_form", text: "the request has more than one token"}
	loneProtocol   = refusal{status: 400, label: "token_form", text: "Sec-WebSocket-Protocol has only a token, so there is no subprotocol to agree to: add a second one, such as belfry"}
	noToken        = refusal{status: 401, label: "no_token", text: "a token is needed: ?token=, Authorization: Bearer, Sec-WebSocket-Protocol, or a cookie"}
	draining       = refusal{status: 503, label: "draining", text: "this gateway is stopping", retry: true}
	notReady       = refusal{status: 503, label: "not_ready", text: "events are unavailable, try again later", retry: true}
	noDecision     = refusal{status: 503, label: "no_decision", text: "the token could not be checked, try again later", retry: true}
	tooFast        = refusal{status: 503, label: "rate", text: "too many handshakes, try again later", retry: true}
	addressTooFast = refusal{status: 429, label: "rate_address", text: "too many handshakes from this address, try again later", retry: true}
	processLimit   = refusal{status: 503, label: "limit_process", text: "too many connections, try again later", retry: true}
	addressLimit   = refusal{status: 429, label: "limit_address", text: "too many connections from this address", retry: true}
	userLimit      = refusal{status: 429, label: "limit_user", text: "too many connections of this user", retry: true}
)

// refusals lists all refusals, so that the metric has a series for each from the start.
var refusals = []refusal{
	notFound, tooManyHeaders, badMethod, notUpgrade, badVersion, badKey, badHost, badOrigin, badToken, manyTokens, loneProtocol,
	noToken, draining, notReady, noDecision, tooFast, addressTooFast, processLimit, addressLimit, userLimit,
}

// refuse sends the answer and closes the connection, so that a refused client does not
// hold a descriptor until its next attempt.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, bad refusal) {
	h := w.Header()
	h.Set("Connection", "close")
	switch bad.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Add("Connection", "Upgrade") // net/http only looks at the first value, which closes
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

// retryAfter returns a number of whole seconds, with jitter, so that refused clients do
// not all come back at once.
func (e *Edge) retryAfter() string {
	least := int(e.o.RetryAfter / time.Second)
	return strconv.Itoa(least + rand.IntN(least+1))
}
