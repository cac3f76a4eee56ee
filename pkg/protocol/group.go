package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxGroupBytes is the largest length of a group's name and item together, in bytes of
// UTF-8, without the dash. A group is used as a routing key, which in AMQP 0-9-1 (4.2.5.3)
// has at most 255 bytes.
const MaxGroupBytes = 200

// Group is a group's full spelling, `<name>-<item>`. The name contains no dash, so the
// first dash always separates the two.
type Group string

// Errors of MakeGroup and ParseGroup.
var (
	ErrGroupEmpty   = errors.New("a group needs a name and an item, neither of them empty")
	ErrGroupDash    = errors.New("a group name must not contain a dash")
	ErrGroupLong    = fmt.Errorf("a group's name and item are longer than %d bytes together", MaxGroupBytes)
	ErrGroupControl = errors.New("a group must not contain control characters")
	ErrGroupUTF8    = errors.New("a group must be valid UTF-8")
)

// MakeGroup joins a name and an item, and checks both.
func MakeGroup(name, item string) (Group, error) {
	switch {
	case name == "" || item == "":
		return "", ErrGroupEmpty
	case strings.Contains(name, "-"):
		return "", ErrGroupDash
	case len(name)+len(item) > MaxGroupBytes:
		return "", ErrGroupLong
	case !utf8.ValidString(name) || !utf8.ValidString(item):
		return "", ErrGroupUTF8
	case hasControl(name) || hasControl(item):
		return "", ErrGroupControl
	}
	return Group(name + "-" + item), nil
}

// ParseGroup checks a full spelling, such as a routing key.
func ParseGroup(s string) (Group, error) {
	name, item, found := strings.Cut(s, "-")
	if !found {
		return "", ErrGroupEmpty
	}
	if _, err := MakeGroup(name, item); err != nil {
		return "", err
	}
	return Group(s), nil
}

// Name returns the part before the first dash.
func (g Group) Name() string {
	name, _, _ := strings.Cut(string(g), "-")
	return name
}

// Item returns the part after the first dash.
func (g Group) Item() string {
	_, item, _ := strings.Cut(string(g), "-")
	return item
}

// hasControl reports whether s contains control characters (C0, C1, DEL), line separators,
// or invisible format characters (Unicode category Cf), some of which reverse the text of a
// log line.
func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return true
		}
	}
	return false
}
