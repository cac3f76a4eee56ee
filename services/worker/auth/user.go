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

// sidOf accepts nothing, a string, or an integer, which becomes its text. Anything
// else is an error: the application could not disconnect a login session whose id
// the worker does not know.
func sidOf(value any) (string, error) {
	var text string
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		text = v
	case json.Number:
		if _, err := userOf(v); err != nil {
			return "", errors.New("a session id must be a string or an integer")
		}
		text = v.String()
	default:
		return "", errors.New("a session id must be a string or an integer")
	}
	if text == "" {
		return "", nil
	}
	return text, protocol.CheckSID(text)
}
