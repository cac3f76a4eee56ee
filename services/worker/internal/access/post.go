package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"belfry/pkg/exactjson"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/outbound"
)

// maxApplicationAnswer is the largest answer of the application in bytes: twice what 1,000
// groups of 200 bytes can need.
const maxApplicationAnswer = 512 << 10

type question struct {
	User   json.RawMessage  `json:"user"`
	Groups []protocol.Group `json:"groups"`
}

type answer struct {
	// Allowed is a pointer so that an answer without the key is an error and
	// not a denial of everything.
	Allowed *[]protocol.Group `json:"allowed"`
}

// post sends one question. Groups that the application allows although nobody
// asked about them are ignored and counted.
func (a *Application) post(ctx context.Context, user json.RawMessage, groups []protocol.Group) (map[protocol.Group]bool, error) {
	body, err := json.Marshal(question{user, groups})
	if err != nil {
		return nil, fmt.Errorf("encode the question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.options.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("build the question: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if a.options.Secret != "" {
		req.Header.Set("Authorization", "Bearer "+a.options.Secret)
	}
	answer, err := outbound.Fetch(ctx, a.client, req, maxApplicationAnswer)
	if err != nil {
		return nil, err
	}
	return a.read(answer.Body, groups)
}

func (a *Application) read(text []byte, groups []protocol.Group) (map[protocol.Group]bool, error) {
	var said answer
	if err := exactjson.CheckFolded(text); err != nil {
		return nil, fmt.Errorf("the application's answer is not valid JSON: %w", err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, errors.New(`the application's answer is not {"allowed": ["group", ...]}`)
	}
	if said.Allowed == nil {
		return nil, errors.New(`the application's answer has no list "allowed"`)
	}
	asked := make(map[protocol.Group]bool, len(groups))
	for _, g := range groups {
		asked[g] = true
	}
	out := make(map[protocol.Group]bool, len(*said.Allowed))
	for _, g := range *said.Allowed {
		if asked[g] {
			out[g] = true
		} else {
			a.options.Metrics.unasked.Inc()
		}
	}
	return out, nil
}
