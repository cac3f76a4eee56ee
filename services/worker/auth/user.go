package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"belfry/pkg/protocol"
)

// userOf gives the one JSON spelling of an id that was decoded with UseNumber.
func userOf(value any) (json.RawMessage, error) {
	var user json.RawMessage
	switch v := value.(type) {
	case json.Number:
		user = json.RawMessage(v.String())
	case string:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return nil, fmt.Errorf("encode user id: %w", err)
		}
		user = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	default:
		return nil, protocol.ErrUserKind
	}
	if _, err := protocol.ParseUser(user); err != nil {
		return nil, err
	}
	return user, nil
}

// sidOf takes nothing, or a string.
func sidOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, protocol.CheckSID(v)
	}
	return "", errors.New("it must be a string")
}
