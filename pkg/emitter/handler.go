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

// Handle brings the door's inner side onto a mux, which is given patterns of
// http.ServeMux: `POST /emit/{group}` emits what is posted, `POST /disconnect`
// passes an order on. Both go through e, which must not be Quiet. The secret
// comes as a bearer token and must not be empty. Answers: 204 when confirmed,
// otherwise JSON with `outcome` and `error`. Expiration and persistence are e's.
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

// maxOrder bounds the body of an order, in bytes.
const maxOrder = 4 << 10

// guarded lets those in who know the secret, with the message id and the body.
func guarded(secret string, most int64, do func(r *http.Request, id string, body []byte) error) http.Handler {
	want := sha256.Sum256([]byte(secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		// Hashed, so that the comparison takes as long for every length.
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

// respond answers with an emit's outcome.
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
	_ = json.NewEncoder(w).Encode(doorAnswer{Outcome: outcome, Error: text})
}
