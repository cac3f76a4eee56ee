package emitter

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Handle registers the endpoint's handlers on a mux, with patterns of http.ServeMux:
// `POST /emit/{group}` emits the body as an event, `POST /disconnect` sends the body as an
// order. Both use e, which must not be Quiet, and its expiration and persistence.
//
// Requests must carry the secret, which must not be empty, as a bearer token. The answer is
// 204 when the broker has confirmed, otherwise JSON with `outcome` and `error`.
func Handle(mux interface {
	Handle(pattern string, handler http.Handler)
}, e *Emitter, secret string) {
	mux.Handle("POST /emit/{group}", guarded(secret, MaxPayload, func(r *http.Request, id string, body []byte) error {
		return e.EmitEvent(r.Context(), Event{
			Group: r.PathValue("group"), Payload: body, ID: id, Trace: r.Header.Get(amqpbus.HeaderTrace),
		})
	}))
	mux.Handle("POST "+disconnectPath, guarded(secret, maxOrder, func(r *http.Request, id string, body []byte) error {
		order, err := protocol.DecodeDisconnect(body)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return e.order(r.Context(), id, order)
	}))
}

// maxOrder is the largest body of an order, in bytes.
const maxOrder = 4 << 10

// guarded returns a handler that checks the secret, reads the message id and the body, of
// at most most bytes, and calls do.
func guarded(secret string, most int64, do func(r *http.Request, id string, body []byte) error) http.Handler {
	want := sha256.Sum256([]byte(secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		// Hashed, so that the time of the comparison does not depend on the length.
		got := sha256.Sum256([]byte(given))
		if secret == "" || !found || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "denied", "the secret is wrong: use the one that `belfry dev` printed")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most+1))
		if err != nil && int64(len(body)) <= most {
			refuse(w, http.StatusBadRequest, "invalid", "the body ended early")
			return
		}
		id, err := url.QueryUnescape(r.Header.Get(headerID))
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid", headerID+" is not percent-encoded")
			return
		}
		respond(w, do(r, id, body))
	})
}

// respond sends the answer for the outcome of an emit.
func respond(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, ErrUnroutable):
		status = http.StatusBadGateway
	}
	refuse(w, status, outcomeOf(err), err.Error())
}

func refuse(w http.ResponseWriter, status int, outcome, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(endpointAnswer{Outcome: outcome, Error: text})
}
