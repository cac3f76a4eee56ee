package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// GatewayID is `<name>.<incarnation>`; the incarnation is random per start.
type GatewayID string

// WorkerID is `<name>.<incarnation>`; the incarnation is random per start.
type WorkerID string

// ConnID names one websocket connection within its gateway's incarnation.
// It is never used again in that incarnation.
type ConnID uint64

// maxNameBytes keeps `belfry.reply.<name>.<incarnation>` far below the 255
// bytes of a short string.
const maxNameBytes = 100

// ErrName is what CheckName wraps.
var ErrName = errors.New("a process name has 1 to 100 letters, digits, dots, dashes or underscores")

// CheckName checks a process name, the part of an id that is configured.
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
