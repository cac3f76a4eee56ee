package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"belfry/pkg/exactjson"
)

// TypeDisconnect is the message type of a Disconnect that a worker publishes to
// belfry.reply.all. The application's own message, on belfry.disconnect, needs no type.
const TypeDisconnect = "disconnect"

// Principal is the user and login session that a connection belongs to.
type Principal struct {
	User string // the user's id as text
	// SID is the login session that the token names (`sid`, OpenID Connect Back-Channel
	// Logout 1.0, 2.1); empty if it names none.
	SID string
}

// Disconnect is the application's order to close a user's connections: those of one login
// session or, if SID is empty, all.
type Disconnect struct {
	User string `json:"user"`
	SID  string `json:"session,omitempty"`
}

// Concerns reports whether the order is about connections of p.
func (d Disconnect) Concerns(p Principal) bool {
	return d.User == p.User && (d.SID == "" || d.SID == p.SID)
}

// MaxSIDBytes is the longest id of a login session in bytes.
const MaxSIDBytes = 255

// Errors of CheckSID.
var (
	ErrSIDLength  = fmt.Errorf("a session id has 1 to %d bytes", MaxSIDBytes)
	ErrSIDControl = errors.New("a session id must be valid UTF-8 without control characters")
)

// CheckSID checks the id of a login session.
func CheckSID(text string) error {
	switch {
	case text == "" || len(text) > MaxSIDBytes:
		return ErrSIDLength
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) || hasControl(text):
		return ErrSIDControl
	}
	return nil
}

// Check returns an error that says what is wrong with the order, or nil.
func (d Disconnect) Check() error {
	if err := CheckUser(d.User); err != nil {
		return err
	}
	if d.SID == "" {
		return nil
	}
	return CheckSID(d.SID)
}

// DecodeDisconnect decodes an order: {"user": 7} or {"user": 7, "session": "..."}. Unknown
// and repeated keys are errors: a misspelt "session" would close more connections than the
// application meant, and of two users it is not clear which one is meant. Its errors do not
// quote values from the body.
func DecodeDisconnect(body []byte) (Disconnect, error) {
	if err := exactjson.Check(body); err != nil {
		return Disconnect{}, fmt.Errorf("decode disconnect: %w (%d bytes)", err, len(body))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return Disconnect{}, fmt.Errorf(`decode disconnect: not a JSON object {"user": 7} (%d bytes)`, len(body))
	}
	var d Disconnect
	var err error
	for key, value := range members {
		switch key {
		case "user":
			d.User, err = ParseUser(value)
		case "session":
			if err = json.Unmarshal(value, &d.SID); err == nil {
				err = CheckSID(d.SID)
			} else {
				err = errors.New("a session id must be a string")
			}
		default:
			err = errors.New(`there is a key beside "user" and "session"`)
		}
		if err != nil {
			return Disconnect{}, fmt.Errorf("decode disconnect: %w", err)
		}
	}
	if err := d.Check(); err != nil {
		return Disconnect{}, fmt.Errorf("decode disconnect: %w", err)
	}
	return d, nil
}
