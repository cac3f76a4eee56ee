package exactjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a text, and where.
type Error struct {
	Line, Column int // both from 1; the column in bytes
	What         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// at makes an error about the byte before offset.
func at(text []byte, offset int64, format string, args ...any) *Error {
	before := text[:max(0, min(offset-1, int64(len(text))))]
	return &Error{
		Line:   1 + bytes.Count(before, []byte("\n")),
		Column: len(before) - bytes.LastIndexByte(before, '\n'),
		What:   fmt.Sprintf(format, args...),
	}
}

// Check returns an error if the text is not exactly one JSON value, is not UTF-8, or has an object
// with two members of the same name at any depth. The error is always an *Error.
func Check(text []byte) error {
	return check(text, func(name string) string { return name }, -1)
}

// CheckFolded is Check for a text that is decoded into a struct, where names that only differ in
// case are the same.
func CheckFolded(text []byte) error { return check(text, strings.ToLower, -1) }

// CheckTop is Check, except that it compares only the names in the outermost object.
func CheckTop(text []byte) error {
	return check(text, func(name string) string { return name }, 1)
}

// check looks for repeated names down to a depth; a negative depth means any.
func check(text []byte, same func(string) string, depth int) error {
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return at(text, 1, "it begins with a byte order mark (BOM), so it is not JSON: save it as UTF-8 without one")
	}
	if !utf8.Valid(text) {
		return at(text, 1, "it is not valid UTF-8")
	}
	if err := syntax(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	w := walk{text: text, dec: dec, same: same, depth: depth}
	return w.value()
}

func syntax(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var wrong *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return at(text, wrong.Offset, "it is not JSON: %s", wrong.Error())
	default:
		return at(text, 1, "it is not JSON")
	}
}

// walk goes through a text with valid syntax.
type walk struct {
	text  []byte
	dec   *json.Decoder
	same  func(string) string
	depth int
}

func (w *walk) value() error {
	var open []map[string]bool // the names of each object that is open; nil: a list
	name := false              // the next token is a member's name
	for {
		before := w.dec.InputOffset()
		token, err := w.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // the syntax was good
			return at(w.text, w.dec.InputOffset(), "it is not JSON")
		}
		switch token {
		case json.Delim('{'):
			open, name = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, name = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name {
				if err := w.name(open, token, before); err != nil {
					return err
				}
				name = false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// name notes a member's name in the innermost object. Between before and its
// quote there is a comma or a brace, and white space.
func (w *walk) name(open []map[string]bool, token json.Token, before int64) error {
	if w.depth >= 0 && len(open) > w.depth {
		return nil
	}
	text, _ := token.(string) // a member's name is one
	names, folded := open[len(open)-1], w.same(text)
	if names[folded] {
		quote := int64(bytes.IndexByte(w.text[before:], '"'))
		return at(w.text, before+quote+1, "the key %q is there twice", shorten(text))
	}
	names[folded] = true
	return nil
}

// shorten returns the part of a key that an error shows.
func shorten(key string) string {
	const most = 40
	if len(key) <= most {
		return key
	}
	return strings.ToValidUTF8(key[:most], "") + "..."
}
