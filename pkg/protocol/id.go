package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// GatewayID is `<name>.<incarnation>`. The incarnation is random at each start.
type GatewayID string

// WorkerID is `<name>.<incarnation>`. The incarnation is random at each start.
type WorkerID string

// ConnID is the number of a websocket connection. A gateway never uses one twice in an
// incarnation.
type ConnID uint64

// maxNameBytes is the longest process name in bytes. It keeps the queue name
// `belfry.reply.<name>.<incarnation>` well below AMQP's 255 bytes.
const maxNameBytes = 100

// ErrName is wrapped by the errors of CheckName.
var ErrName = errors.New("a process name has 1 to 100 letters, digits, dots, dashes or underscores")

// CheckName checks a process name, the configured part of an id.
func CheckName(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("%w: it has %d bytes", ErrName, len(name))
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return fmt.Errorf("%w: %q has %q", ErrName, name, r)
		}
	}
	return nil
}

// NewIncarnation returns 16 random hexadecimal digits.
func NewIncarnation() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never returns an error (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}
