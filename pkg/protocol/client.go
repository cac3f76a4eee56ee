package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ClientLimits bounds one client message.
type ClientLimits struct {
	MaxGroups int // groups in one message, doubled ones counted once; at least 1
}

// ClientError is what is wrong with a client message, in words that may be
// sent to the client.
type ClientError struct{ Text string }

func (e *ClientError) Error() string { return e.Text }

func clientErrorf(format string, args ...any) error {
	return &ClientError{Text: fmt.Sprintf(format, args...)}
}

// DecodeClientMessage reads a client's text frame: one JSON object with the key
// "groups". It is strict where encoding/json is not: keys match exactly, a
// doubled key, a lone surrogate and trailing data are errors (RFC 8259 leaves
// them open). The groups come in the order of the message, each once. The
// error is always a *ClientError, and then nothing may be changed.
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

// checkText refuses what encoding/json would repair silently.
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

// object reads the members of the outer object, whose brace is read.
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

// key reads a member's key and refuses a doubled one.
func (d *clientDecoder) key(seen map[string]struct{}, where string) (string, error) {
	tok, err := d.dec.Token()
	key, ok := tok.(string)
	if err != nil || !ok {
		return "", clientErrorf("the message is not valid JSON")
	}
	if _, doubled := seen[key]; doubled {
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
	_, err := d.dec.Token() // the closing brace: json.Valid saw it
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

// isInteger accepts the one spelling of an integer: no fraction, no exponent,
// no minus zero. JSON already refused leading zeros.
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

// shorten quotes what the client sent, for an error text: printable, bounded.
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

// hasLoneSurrogate looks for \uD800-\uDFFF escapes that form no pair, which
// encoding/json replaces by U+FFFD. text is valid JSON.
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

// escapedUnit reads \uXXXX at the start of text; 0 when there is none.
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
