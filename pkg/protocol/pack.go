package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// TypePack is the type of a message that contains several: messages that waited for the
// broker at the same time are sent as one.
const TypePack = "pack"

// Packed is one message of a pack. Its type is never TypePack.
type Packed struct {
	Type string
	Body []byte
}

// MaxPacked is the largest number of messages in a pack.
const MaxPacked = 64

const (
	packVersion = 1
	// maxPackedType is the longest type in bytes, the same as AMQP allows outside a pack.
	maxPackedType = 255
)

// ErrPack is wrapped by every error of DecodePack.
var ErrPack = errors.New("not a pack")

// EncodePack returns the body of a TypePack message: a version byte, the number of
// messages, then the type and body of each. There must be 1 to MaxPacked messages.
func EncodePack(messages []Packed) []byte {
	size := 1 + binary.MaxVarintLen32
	for i := range messages {
		size += 2*binary.MaxVarintLen32 + len(messages[i].Type) + len(messages[i].Body)
	}
	out := append(make([]byte, 0, size), packVersion)
	out = binary.AppendUvarint(out, uint64(len(messages)))
	for i := range messages {
		out = appendBytes(out, messages[i].Type)
		out = binary.AppendUvarint(out, uint64(len(messages[i].Body)))
		out = append(out, messages[i].Body...)
	}
	return out
}

// DecodePack decodes a TypePack body of 1 to MaxPacked messages. The messages' bodies share
// its memory. Its errors never quote the body, which may contain tokens.
func DecodePack(body []byte) ([]Packed, error) {
	if len(body) == 0 || body[0] != packVersion {
		return nil, fmt.Errorf("%w: version or length", ErrPack)
	}
	r := fieldReader{rest: body[1:]}
	count := r.bounded(MaxPacked)
	if r.bad || count == 0 {
		return nil, fmt.Errorf("%w: its number of messages", ErrPack)
	}
	out := make([]Packed, 0, count)
	for range count {
		p := Packed{Type: string(r.bytes()), Body: r.bytes()}
		if r.bad || p.Type == TypePack || len(p.Type) > maxPackedType {
			return nil, fmt.Errorf("%w: message %d of %d", ErrPack, len(out)+1, count)
		}
		out = append(out, p)
	}
	if len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrPack, len(r.rest))
	}
	return out, nil
}
