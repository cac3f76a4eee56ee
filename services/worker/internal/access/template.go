package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"belfry/pkg/protocol"
)

// Errors of parseTemplate; they are wrapped with the template.
var (
	errTemplateForm  = errors.New(`write "*", or a name and an item with a dash between them, such as jobs-summary`)
	errTemplateName  = errors.New("the name, up to the first dash, must be plain text: stars and placeholders belong in the item")
	errTemplateStar  = errors.New("a star must be the whole item, as in jobs-*: part of an item cannot be matched")
	errTemplateBrace = errors.New("unknown or unfinished placeholder: write {user} or {int}")
	errTemplateTwice = errors.New("use each placeholder at most once")
	errTemplateTouch = errors.New("put text between the two placeholders, and no digit next to {int}: otherwise two users could share a group")
	errTemplateLong  = fmt.Errorf("it is longer than %d bytes, or not UTF-8", protocol.MaxGroupBytes)
)

// maxIntDigits is the length of the largest unsigned 64-bit number.
const maxIntDigits = 20

type partKind int

const (
	partText partKind = iota
	partUser
	partInt
)

type part struct {
	kind partKind
	text string
}

// template is one parsed pattern of a rule.
type template struct {
	name  string // empty: every name that no other rule mentions
	any   bool   // any item
	parts []part
}

func parseTemplate(text string) (template, error) {
	t, err := splitTemplate(text)
	if err != nil {
		return template{}, fmt.Errorf("template %q: %w", text, err)
	}
	return t, nil
}

func splitTemplate(text string) (template, error) {
	if text == "*" {
		return template{any: true}, nil
	}
	if len(text) > protocol.MaxGroupBytes || !utf8.ValidString(text) {
		return template{}, errTemplateLong
	}
	name, item, found := strings.Cut(text, "-")
	if !found || name == "" || item == "" {
		return template{}, errTemplateForm
	}
	if strings.ContainsAny(name, "*{}") {
		return template{}, errTemplateName
	}
	if item == "*" {
		return template{name: name, any: true}, nil
	}
	if strings.Contains(item, "*") {
		return template{}, errTemplateStar
	}
	parts, err := splitItem(item)
	if err != nil {
		return template{}, err
	}
	return template{name: name, parts: parts}, checkParts(parts)
}

func splitItem(item string) ([]part, error) {
	var parts []part
	for item != "" {
		switch {
		case strings.HasPrefix(item, "{user}"):
			parts = append(parts, part{kind: partUser})
			item = item[len("{user}"):]
		case strings.HasPrefix(item, "{int}"):
			parts = append(parts, part{kind: partInt})
			item = item[len("{int}"):]
		default:
			end := strings.IndexAny(item, "{}")
			if end == 0 {
				return nil, errTemplateBrace
			}
			if end < 0 {
				end = len(item)
			}
			parts = append(parts, part{kind: partText, text: item[:end]})
			item = item[end:]
		}
	}
	return parts, nil
}

// checkParts makes sure that a template never gives the same group to two users; see the
// package comment.
func checkParts(parts []part) error {
	seen := map[partKind]bool{}
	for i, p := range parts {
		if p.kind == partText {
			continue
		}
		if seen[p.kind] {
			return errTemplateTwice
		}
		seen[p.kind] = true
		if i > 0 && parts[i-1].kind != partText {
			return errTemplateTouch
		}
		if p.kind != partInt {
			continue
		}
		before := i > 0 && digit(parts[i-1].text[len(parts[i-1].text)-1])
		after := i+1 < len(parts) && parts[i+1].kind == partText && digit(parts[i+1].text[0])
		if before || after {
			return errTemplateTouch
		}
	}
	return nil
}

// matches reports whether the template matches the item for this user. The name has been
// compared already.
func (t template) matches(item, user string) bool {
	if t.any {
		return true
	}
	for _, p := range t.parts {
		var found bool
		switch p.kind {
		case partText:
			item, found = strings.CutPrefix(item, p.text)
		case partUser:
			item, found = strings.CutPrefix(item, user)
			found = found && user != ""
		case partInt:
			item, found = cutInt(item)
		}
		if !found {
			return false
		}
	}
	return item == ""
}

// cutInt removes the leading digits. They must be a number without leading zeros, of at
// most maxIntDigits digits.
func cutInt(item string) (rest string, found bool) {
	n := 0
	for n < len(item) && digit(item[n]) {
		n++
	}
	if n == 0 || n > maxIntDigits || (item[0] == '0' && n > 1) {
		return item, false
	}
	return item[n:], true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
