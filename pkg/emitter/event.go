package emitter

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"belfry/pkg/protocol"
)

// MaxPayload bounds a payload, in bytes.
const MaxPayload = 1 << 20

// maxID bounds a message id, in bytes: a short string of AMQP 0-9-1 ends at 255.
const maxID = 200

// Outcomes of an emit. Test with errors.Is.
var (
	// ErrRefused: the broker has no room (the emit queue is full). The event is
	// not stored and is not sent again by itself.
	ErrRefused = errors.New("the event was refused: the emit queue is full; are the workers running?")
	// ErrUnroutable: no queue takes the event. It is not stored and is not sent
	// again by itself.
	ErrUnroutable = errors.New("no queue takes the event: start a worker once, and compare BELFRY_SHARDS with the workers'")
	// ErrDenied: the broker does not let this user publish it, or knows the user by
	// another name; the error has its reason. It is not sent again by itself.
	ErrDenied = errors.New("the broker does not allow this user's event")
	// ErrInvalid: the group or the payload breaks a rule. Nothing was sent.
	ErrInvalid = errors.New("the event is not valid")
	// ErrUnknown: the time was over before the broker confirmed. The event may
	// or may not be stored; emitting it again with the same ID is safe.
	ErrUnknown = errors.New("the event was not confirmed in time")
	// ErrClosed: the emitter was closed before the event was confirmed.
	ErrClosed = errors.New("the emitter is closed")
)

// Event is one payload for one group.
type Event struct {
	Group string
	// Payload is what browsers get, byte for byte: JSON, UTF-8, at most
	// MaxPayload bytes. It is copied.
	Payload []byte
	// ID is the message id, at most 200 bytes. Empty: a new one. An event that
	// is emitted again with the same ID, group and payload is delivered once.
	ID string
	// Trace is a W3C traceparent that travels with the event, at most 128
	// bytes. Empty: Options.Trace is asked.
	Trace string
}

// maxTrace bounds Event.Trace in bytes: workers pass nothing longer on.
const maxTrace = 128

// check returns the group, or an error that is ErrInvalid and says why.
func (e Event) check() (protocol.Group, error) {
	g, err := protocol.ParseGroup(e.Group)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: its group: %w", ErrInvalid, err)
	case len(e.Payload) > MaxPayload:
		return "", fmt.Errorf("%w: its payload has %d bytes, %d are allowed", ErrInvalid, len(e.Payload), MaxPayload)
	case !utf8.Valid(e.Payload):
		return "", fmt.Errorf("%w: its payload is not UTF-8", ErrInvalid)
	case !json.Valid(e.Payload):
		return "", fmt.Errorf("%w: its payload is not JSON", ErrInvalid)
	case len(e.Trace) > maxTrace || !utf8.ValidString(e.Trace):
		return "", fmt.Errorf("%w: its traceparent is longer than %d bytes or not UTF-8", ErrInvalid, maxTrace)
	case len(e.ID) > maxID || !utf8.ValidString(e.ID):
		return "", fmt.Errorf("%w: its id is longer than %d bytes or not UTF-8", ErrInvalid, maxID)
	}
	return g, nil
}

// newID is a UUID, version 7 (RFC 9562 5.7): a time, so that ids sort as they
// were made, and 74 random bits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never returns an error (crypto/rand, Go 1.24)
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint32(b[0:], uint32(ms>>16))
	binary.BigEndian.PutUint16(b[4:], uint16(ms))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:], b[0:4])
	hex.Encode(text[9:], b[4:6])
	hex.Encode(text[14:], b[6:8])
	hex.Encode(text[19:], b[8:10])
	hex.Encode(text[24:], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
