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

// MaxPayload is the largest payload in bytes.
const MaxPayload = 1 << 20

// maxID is the longest message id in bytes. AMQP 0-9-1 allows 255 in a short string.
const maxID = 200

// Errors of an emit. Test for them with errors.Is. The emitter does not send an event again
// after any of them.
var (
	// ErrRefused: the emit queue is full. The event was not stored.
	ErrRefused = errors.New("the event was refused: the emit queue is full; are the workers running?")
	// ErrUnroutable: no queue receives the event. It was not stored.
	ErrUnroutable = errors.New("no queue takes the event: start a worker once, and compare BELFRY_SHARDS with the workers'")
	// ErrDenied: the broker does not allow this user to publish the event; the error
	// contains the broker's reason. It was not stored.
	ErrDenied = errors.New("the broker does not allow this user's event")
	// ErrInvalid: the group, payload, id or trace breaks a rule. Nothing was sent.
	ErrInvalid = errors.New("the event is not valid")
	// ErrUnknown: the time was over before the broker confirmed the event, which may or
	// may not be stored. Emitting it again with the same ID is safe.
	ErrUnknown = errors.New("the event was not confirmed in time")
	// ErrClosed: the emitter was closed before the event was confirmed.
	ErrClosed = errors.New("the emitter is closed")
)

// Event is one payload for one group.
type Event struct {
	Group string
	// Payload is what browsers receive, byte for byte: JSON in UTF-8, at most MaxPayload
	// bytes. Emit copies it.
	Payload []byte
	// ID is the message id, at most 200 bytes; empty: the emitter makes one. An event that
	// is emitted again with the same ID, group and payload is delivered once.
	ID string
	// Trace is a W3C traceparent to send with the event, at most 128 bytes; empty:
	// Options.Trace is called.
	Trace string
}

// maxTrace is the longest Event.Trace in bytes. Workers do not pass on a longer one.
const maxTrace = 128

// check returns the group, or an error that wraps ErrInvalid and says why.
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

// newID returns a UUID of version 7 (RFC 9562 5.7): the time, so that ids sort by age, and
// 74 random bits.
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
