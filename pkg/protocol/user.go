package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxUserLength bounds a user's id in characters, as OpenID Connect Core 1.0, 2
// does for `sub`. An id that is longer than a group's item has no group of its
// own by a policy's {user}.
const MaxUserLength = 255

// Errors of ParseUser and CheckUser.
var (
	ErrUserKind    = errors.New("a user id must be a string or an integer")
	ErrUserLength  = fmt.Errorf("a user id has 1 to %d characters", MaxUserLength)
	ErrUserStar    = errors.New("a user id must not contain a star")
	ErrUserControl = errors.New("a user id must not contain control characters")
	ErrUserUTF8    = errors.New("a user id must be valid UTF-8")
)

// ParseUser reads a user's id, a JSON string or a JSON integer, and gives its
// text as it appears in groups: 7 and "7" are both 7. An id that could be
// mistaken for a pattern, or that could turn a log line around, is an error.
func ParseUser(user json.RawMessage) (string, error) {
	if !utf8.Valid(user) {
		return "", ErrUserUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(user))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil || dec.More() {
		return "", ErrUserKind
	}
	switch v := value.(type) {
	case string:
		return v, CheckUser(v)
	case json.Number:
		if !isInteger(v.String()) {
			return "", ErrUserKind
		}
		return v.String(), CheckUser(v.String())
	}
	return "", ErrUserKind
}

// CheckUser checks the text of a user's id.
func CheckUser(text string) error {
	switch {
	case text == "" || utf8.RuneCountInString(text) > MaxUserLength:
		return ErrUserLength
	// encoding/json puts U+FFFD where a lone surrogate or a bad byte was, and
	// two such ids would become one.
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return ErrUserUTF8
	case strings.Contains(text, "*"):
		return ErrUserStar
	case hasControl(text):
		return ErrUserControl
	}
	return nil
}
