package exactjson

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ErrNoObject says that a text is valid JSON, but not an object.
var ErrNoObject = errors.New("it is not a JSON object")

// Object decodes an object that was checked. Numbers are json.Number, so they keep their spelling,
// also above 2^53.
func Object(text []byte) (map[string]any, error) {
	if err := Check(text); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return nil, ErrNoObject
	}
	return object, nil
}
