package exactjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"belfry/pkg/spelling"
)

// Decode decodes a file that was written by hand into v, a pointer to a struct. It applies the
// rules of CheckFolded, and refuses members that v does not have. The error is an *Error.
func Decode(text []byte, v any) error {
	if err := CheckFolded(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	r := reader{text: text, dec: dec}
	if err := r.value(reflect.TypeOf(v).Elem()); err != nil {
		return err
	}
	err := json.Unmarshal(text, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return at(text, wrong.Offset, "%q is a %s, and must be %s", wrong.Field, wrong.Value, inWords(wrong.Type))
	default:
		return at(text, 1, "%v", err)
	}
}

// inWords returns JSON's name for a Go type.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	default:
		return "a number"
	}
}

// reader goes through a text with valid syntax and a Go type in parallel, and stops at the first
// member that the type does not have.
type reader struct {
	text []byte
	dec  *json.Decoder
}

// value reads one value. t is nil if any value is allowed.
func (r *reader) value(t reflect.Type) error {
	token, err := r.dec.Token()
	if err != nil {
		return at(r.text, r.dec.InputOffset(), "it is not JSON")
	}
	switch token {
	case json.Delim('['):
		var of reflect.Type
		if t != nil && t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]() {
			of = t.Elem()
		}
		for r.dec.More() {
			if err := r.value(of); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		for r.dec.More() {
			if err := r.member(t); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = r.dec.Token() // its end
	return err
}

func (r *reader) member(t reflect.Type) error {
	token, err := r.dec.Token()
	if err != nil {
		return at(r.text, r.dec.InputOffset(), "it is not JSON")
	}
	name, _ := token.(string) // a member's name is one
	if t == nil || t.Kind() != reflect.Struct {
		return r.value(nil)
	}
	var known []string
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "" {
			key = f.Name
		}
		if strings.EqualFold(key, name) {
			return r.value(f.Type)
		}
		known = append(known, key)
	}
	end := r.dec.InputOffset() // behind the name's closing quote
	start := int64(bytes.LastIndexByte(r.text[:max(0, end-1)], '"')) + 1
	return at(r.text, start, "there is no key %q here: did you mean %q? (%s)", shorten(name), spelling.Nearest(name, known), strings.Join(known, ", "))
}

// Place returns an error with the position of a value in a text with valid syntax. A step of the
// path is the name of a member or an index in a list. If the path does not exist completely, the
// position is that of the last existing step.
func Place(text []byte, what string, path ...any) *Error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	for _, step := range path {
		if !descend(dec, step) {
			break
		}
	}
	offset := int(dec.InputOffset())
	for offset < len(text) && bytes.IndexByte([]byte(" \t\r\n,:"), text[offset]) >= 0 {
		offset++
	}
	return at(text, int64(offset)+1, "%s", what)
}

// descend reads up to the value of a step.
func descend(dec *json.Decoder, step any) bool {
	token, err := dec.Token()
	if err != nil {
		return false
	}
	index := 0
	for dec.More() {
		here := any(index)
		if token == json.Delim('{') {
			name, err := dec.Token()
			if err != nil {
				return false
			}
			here = fmt.Sprint(name)
		}
		if here == step {
			return true
		}
		var passed json.RawMessage
		if dec.Decode(&passed) != nil {
			return false
		}
		index++
	}
	return false
}
