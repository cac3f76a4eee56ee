package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxGroupBytes bounds a group's name and item together, in bytes of UTF-8
// (the dash between them is not counted). A group is an AMQP routing key, and
// a short string of AMQP 0-9-1 ends at 255 bytes (4.2.5.3).
const MaxGroupBytes = 200

// Group is the full spelling `<name>-<item>` of what is emitted to and
// subscribed to. The name holds no dash, so that a group has one spelling.
type Group string

// Errors of MakeGroup and ParseGroup. They are wrapped with the offending part.
var (
	ErrGroupEmpty   = errors.New("a group needs a name and an item, neither of them empty")
	ErrGroupDash    = errors.New("a group name must not contain a dash")
	ErrGroupLong    = fmt.Errorf("a group's name and item are longer than %d bytes together", MaxGroupBytes)
	ErrGroupControl = errors.New("a group must not contain control characters")
	ErrGroupUTF8    = errors.New("a group must be valid UTF-8")
)

// MakeGroup joins name and item and checks the bounds.
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

// ParseGroup checks a full spelling, as a routing key carries it.
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

// Name is the part before the first dash.
func (g Group) Name() string {
	name, _, _ := strings.Cut(string(g), "-")
	return name
}

// Item is the part after the first dash.
func (g Group) Item() string {
	_, item, _ := strings.Cut(string(g), "-")
	return item
}

// hasControl reports C0, C1, DEL and the invisible format characters that can
// turn a log line or a terminal around (Unicode category Cf).
func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return true
		}
	}
	return false
}
