package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxUserLength is the longest user id in characters, as OpenID Connect Core 1.0, 2, defines
// it for `sub`. The {user} of a policy matches no group for an id that is too long for a
// group's item.
const MaxUserLength = 255

// Errors of ParseUser and CheckUser.
var (
	ErrUserKind    = errors.New("a user id must be a string or an integer")
	ErrUserLength  = fmt.Errorf("a user id has 1 to %d characters", MaxUserLength)
	ErrUserStar    = errors.New("a user id must not contain a star")
	ErrUserControl = errors.New("a user id must not contain control characters")
	ErrUserUTF8    = errors.New("a user id must be valid UTF-8")
)

// ParseUser returns the text of a user's id, a JSON string or integer, as it appears in
// groups: 7 and "7" are both 7. An id that could be mistaken for a pattern, or that would
// garble a log line, is an error.
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

// CheckUser checks the text of a user's id: 1 to MaxUserLength characters of valid UTF-8,
// without stars and control characters.
func CheckUser(text string) error {
	switch {
	case text == "" || utf8.RuneCountInString(text) > MaxUserLength:
		return ErrUserLength
	// encoding/json replaces a lone surrogate or an invalid byte by U+FFFD, so that two
	// different ids could become the same.
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return ErrUserUTF8
	case strings.Contains(text, "*"):
		return ErrUserStar
	case hasControl(text):
		return ErrUserControl
	}
	return nil
}
