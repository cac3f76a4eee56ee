package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// TypePack is the type of a message that stands for several: questions
// that waited for the broker at the same time travel as one.
const TypePack = "pack"

// Packed is one message of a pack: its type, which is never TypePack, and its body.
type Packed struct {
	Type string
	Body []byte
}

// MaxPacked bounds the messages of a pack.
const MaxPacked = 64

const (
	packVersion = 1
	// maxPackedType is what a message that travels alone may have.
	maxPackedType = 255
)

// ErrPack is wrapped by every error of DecodePack.
var ErrPack = errors.New("not a pack")

// EncodePack gives the body of a TypePack message: a version byte, then the
// number of messages, and the type and body of each.
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

// DecodePack reads a TypePack body: 1 to MaxPacked messages. The bodies share its
// memory. The errors never quote it, for it may hold tokens.
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
