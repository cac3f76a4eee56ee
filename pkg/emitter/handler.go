package emitter

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"belfry/pkg/amqpbus"
)

// Pattern is where Handler belongs on an http.ServeMux.
const Pattern = "POST /emit/{group}"

// Handler is the door's inner side: it emits what is posted, through e, which
// must not be Quiet. The secret comes as a bearer token and must not be empty.
// Answers: 204 when confirmed, otherwise JSON with `outcome` and `error`.
// Expiration and persistence are e's.
func Handler(e *Emitter, secret string) http.Handler {
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
		payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload+1))
		if err != nil && len(payload) <= MaxPayload {
			refuse(w, http.StatusBadRequest, "invalid", "the body ended early")
			return
		}
		id, err := url.QueryUnescape(r.Header.Get(headerID))
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid", headerID+" is not percent-encoded")
			return
		}
		settle(w, e.EmitEvent(r.Context(), Event{
			Group: r.PathValue("group"), Payload: payload, ID: id, Trace: r.Header.Get(amqpbus.HeaderTrace),
		}))
	})
}

// settle answers with an emit's outcome.
func settle(w http.ResponseWriter, err error) {
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
