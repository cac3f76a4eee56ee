package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"

	"belfry/pkg/exactjson"
	"belfry/pkg/protocol"
)

// maxStaticFile bounds the tokens file in bytes.
const maxStaticFile = 1 << 20

// Static knows the tokens of a development file. They do not expire.
type Static struct {
	// byHash is keyed by the token's SHA-256, so that how long a look-up takes
	// tells nothing about the tokens themselves. Never changed after loading.
	byHash map[[sha256.Size]byte]Identity
}

// LoadStatic reads a tokens file: a JSON object, token -> {"user": 7, "groups":
// ["*"]}. The errors name the entry by its number, never by its token.
func LoadStatic(path string) (*Static, error) {
	text, err := readBounded(path, maxStaticFile)
	if err != nil {
		return nil, fmt.Errorf("read tokens file: %w", err)
	}
	s, err := parseStatic(text)
	if err != nil {
		return nil, fmt.Errorf("read tokens file %s: %w", path, err)
	}
	return s, nil
}

func parseStatic(text []byte) (*Static, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, errors.New(`it must be a JSON object, token -> {"user": 7, "groups": ["*"]}`)
	}
	s := &Static{byHash: map[[sha256.Size]byte]Identity{}}
	for dec.More() {
		if err := s.add(dec); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(s.byHash)+1, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("the JSON object does not end")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the JSON object")
	}
	if len(s.byHash) == 0 {
		return nil, errors.New("it has no token")
	}
	return s, nil
}

func (s *Static) add(dec *json.Decoder) error {
	key, err := dec.Token()
	text, ok := key.(string)
	if err != nil || !ok || text == "" || len(text) > maxTokenBytes {
		return fmt.Errorf("the token must be a string of 1 to %d bytes", maxTokenBytes)
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return errEntry
	}
	id, err := readEntry(value)
	if err != nil {
		return err
	}
	id.Fingerprint = protocol.NewToken(text).Fingerprint()
	hash := sha256.Sum256([]byte(text))
	if _, doubled := s.byHash[hash]; doubled {
		return errors.New("the token is there twice")
	}
	s.byHash[hash] = id
	return nil
}

// errEntry says what the value of a token must be.
var errEntry = errors.New(`the value must be an object {"user": 7, "groups": ["*"]}`)

// readEntry is strict where a token's claims are not: the file is the operator's
// own, and what is not understood in it is a mistake.
func readEntry(text json.RawMessage) (Identity, error) {
	entry, err := exactjson.Object(text)
	var wrong *exactjson.Error
	switch {
	case errors.As(err, &wrong):
		return Identity{}, errors.New(wrong.What)
	case err != nil:
		return Identity{}, errEntry
	}
	for name := range entry {
		if name != "user" && name != "groups" && name != "session" {
			return Identity{}, fmt.Errorf(`unknown key %q, want "user", "groups" and "session"`, name)
		}
	}
	r, err := newClaimReader(ClaimNames{User: "user", Groups: "groups", SID: "session"}, zap.NewNop(), NewMetrics(nil))
	if err != nil {
		return Identity{}, err
	}
	id, err := r.read(entry)
	if err != nil {
		return Identity{}, err
	}
	for reason := range r.ignored.told {
		return Identity{}, fmt.Errorf(`"groups": %s`, ignoredTexts[reason])
	}
	return id, nil
}

// Len is the number of tokens.
func (s *Static) Len() int { return len(s.byHash) }

// Authenticate implements Authenticator.
func (s *Static) Authenticate(_ context.Context, token protocol.Token, _ string) (Identity, error) {
	id, found := s.byHash[sha256.Sum256([]byte(token.Reveal()))]
	if !found {
		return Identity{}, refused("it is not in the tokens file")
	}
	return id, nil
}

// readBounded reads a small file; what is named is a path, never a content.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) // the operator's own configuration names the path
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return text, nil
}
