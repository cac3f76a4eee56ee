package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ClientLimits holds the limits of one client message.
type ClientLimits struct {
	MaxGroups int // most groups in one message, each counted once; at least 1
}

// ClientError says what is wrong with a client message. Its text may be sent to the client.
type ClientError struct{ Text string }

func (e *ClientError) Error() string { return e.Text }

func clientErrorf(format string, args ...any) error {
	return &ClientError{Text: fmt.Sprintf(format, args...)}
}

// DecodeClientMessage decodes a client's text frame: one JSON object with the key "groups".
// It is stricter than encoding/json: keys must match exactly, and a repeated key, a lone
// surrogate and trailing data, about which RFC 8259 does not decide, are errors. It returns
// the groups in the order of the message, each once. An error is always a *ClientError.
func DecodeClientMessage(frame []byte, limits ClientLimits) ([]Group, error) {
	if err := checkText(frame); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(frame))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, clientErrorf("the message must be a JSON object")
	}
	d := clientDecoder{dec: dec, limits: limits}
	if err := d.object(); err != nil {
		return nil, err
	}
	if !d.found {
		return nil, clientErrorf(`the message needs the key "groups"`)
	}
	return d.groups, nil
}

// checkText refuses text that encoding/json would repair silently.
func checkText(frame []byte) error {
	switch {
	case !utf8.Valid(frame):
		return clientErrorf("the message is not valid UTF-8")
	case !json.Valid(frame):
		return clientErrorf("the message is not valid JSON")
	case hasLoneSurrogate(frame):
		return clientErrorf("the message has a lone surrogate")
	}
	return nil
}

type clientDecoder struct {
	dec    *json.Decoder
	limits ClientLimits
	groups []Group
	seen   map[Group]struct{}
	found  bool
}

// object reads the members of the outer object, whose opening brace was read.
func (d *clientDecoder) object() error {
	keys := map[string]struct{}{}
	for d.dec.More() {
		key, err := d.key(keys, "")
		if err != nil {
			return err
		}
		if key == "groups" {
			d.found = true
			if err := d.groupsObject(); err != nil {
				return err
			}
			continue
		}
		var ignored json.RawMessage
		if err := d.dec.Decode(&ignored); err != nil {
			return clientErrorf("the message is not valid JSON")
		}
	}
	return nil
}

// key reads a member's key and refuses a repeated one.
func (d *clientDecoder) key(seen map[string]struct{}, where string) (string, error) {
	tok, err := d.dec.Token()
	key, ok := tok.(string)
	if err != nil || !ok {
		return "", clientErrorf("the message is not valid JSON")
	}
	if _, repeated := seen[key]; repeated {
		return "", clientErrorf("the key %s is there twice%s", shorten(key), where)
	}
	seen[key] = struct{}{}
	return key, nil
}

func (d *clientDecoder) groupsObject() error {
	if tok, err := d.dec.Token(); err != nil || tok != json.Delim('{') {
		return clientErrorf(`"groups" must be an object of lists`)
	}
	d.seen = map[Group]struct{}{}
	keys := map[string]struct{}{}
	for d.dec.More() {
		name, err := d.key(keys, ` in "groups"`)
		if err != nil {
			return err
		}
		if err := d.list(name); err != nil {
			return err
		}
	}
	_, err := d.dec.Token() // the closing brace, which is there: the text is valid JSON
	return err
}

func (d *clientDecoder) list(name string) error {
	if tok, err := d.dec.Token(); err != nil || tok != json.Delim('[') {
		return clientErrorf("the value of %s must be a list", shorten(name))
	}
	if _, err := MakeGroup(name, "0"); err != nil {
		return clientErrorf("the group name %s is not allowed: %v", shorten(name), err)
	}
	for d.dec.More() {
		if err := d.item(name); err != nil {
			return err
		}
	}
	_, err := d.dec.Token()
	return err
}

func (d *clientDecoder) item(name string) error {
	tok, err := d.dec.Token()
	if err != nil {
		return clientErrorf("the message is not valid JSON")
	}
	var item string
	switch v := tok.(type) {
	case string:
		item = v
	case json.Number:
		if !isInteger(v.String()) {
			return clientErrorf("an item of %s is neither a string nor an integer", shorten(name))
		}
		item = v.String()
	default:
		return clientErrorf("an item of %s is neither a string nor an integer", shorten(name))
	}
	g, err := MakeGroup(name, item)
	if err != nil {
		return clientErrorf("the item %s of %s is not allowed: %v", shorten(item), shorten(name), err)
	}
	if _, ok := d.seen[g]; ok {
		return nil
	}
	if len(d.groups) == d.limits.MaxGroups {
		return clientErrorf("more than %d groups", d.limits.MaxGroups)
	}
	d.seen[g] = struct{}{}
	d.groups = append(d.groups, g)
	return nil
}

// isInteger reports whether a JSON number is an integer in its only spelling: without
// fraction, exponent or minus zero. JSON does not allow leading zeros.
func isInteger(s string) bool {
	if s == "-0" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (i != 0 || c != '-') {
			return false
		}
	}
	return true
}

// shorten quotes text that a client sent, for an error message: printable, at most 40 bytes
// of it.
func shorten(s string) string {
	const most = 40
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strconv.Quote(s)
}

// hasLoneSurrogate reports whether text, which is valid JSON, has a \uD800-\uDFFF escape
// that is not part of a pair. encoding/json would replace it by U+FFFD.
func hasLoneSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if text[i+1] != 'u' {
			i++
			continue
		}
		unit := escapedUnit(text[i:])
		i += 5
		switch {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			low := escapedUnit(text[i+1:])
			if low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 6
		}
	}
	return false
}

// escapedUnit returns the code unit of \uXXXX at the start of text, or 0 if there is none.
func escapedUnit(text []byte) uint64 {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return unit
}
