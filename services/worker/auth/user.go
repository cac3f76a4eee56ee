package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUserBytes bounds a user's id; it must fit into a group's item beside the
// words of a template.
const maxUserBytes = 100

// Errors of CheckUser.
var (
	ErrUserKind    = errors.New("a user id must be a string or an integer")
	ErrUserLength  = fmt.Errorf("a user id has 1 to %d bytes", maxUserBytes)
	ErrUserStar    = errors.New("a user id must not contain a star")
	ErrUserControl = errors.New("a user id must not contain control characters")
	ErrUserUTF8    = errors.New("a user id must be valid UTF-8")
)

// CheckUser reads a user's id, a JSON string or a JSON integer, and gives its
// text as it appears in groups: 7 and "7" are both 7. An id that could be
// mistaken for a pattern, or that could turn a log line around, is an error.
func CheckUser(user json.RawMessage) (string, error) {
	if !utf8.Valid(user) {
		return "", ErrUserUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(user))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil || dec.More() {
		return "", ErrUserKind
	}
	return userText(value)
}

// userOf gives the one JSON spelling of an id that was decoded with UseNumber.
func userOf(value any) (json.RawMessage, error) {
	text, err := userText(value)
	if err != nil {
		return nil, err
	}
	if _, number := value.(json.Number); number {
		return json.RawMessage(text), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return nil, fmt.Errorf("encode user id: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func userText(value any) (string, error) {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
		if !isInteger(text) {
			return "", ErrUserKind
		}
	default:
		return "", ErrUserKind
	}
	switch {
	case text == "" || len(text) > maxUserBytes:
		return "", ErrUserLength
	// encoding/json puts U+FFFD where a lone surrogate or a bad byte was, and
	// two such ids would become one.
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return "", ErrUserUTF8
	case strings.Contains(text, "*"):
		return "", ErrUserStar
	case strings.ContainsFunc(text, hidden):
		return "", ErrUserControl
	}
	return text, nil
}

// hidden is the same class of characters that protocol.MakeGroup refuses.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// isInteger accepts the one spelling of an integer: no fraction, no exponent,
// no minus zero. JSON already refused leading zeros.
func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || s == "-0" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}
