package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxPayload is the largest payload of an emit in bytes.
const MaxPayload = 1 << 20

// Event is one emit on its way to a gateway.
type Event struct {
	Group   Group
	ID      string // the emitter's message id, or empty
	Trace   string // a W3C traceparent, or empty
	Payload []byte // reaches clients byte for byte
}

// Mode says which of the two sequences of a reign a batch is numbered in.
type Mode byte

// The modes. A ModeDirect batch goes to one gateway, and each gateway has its own sequence.
// A ModeFlood batch goes to all gateways, which share one sequence.
const (
	ModeDirect Mode = 1
	ModeFlood  Mode = 2
)

// Batch carries events of one shard to one gateway or to all. Sequence counts the batches
// of a reign and mode from 1 without gaps.
type Batch struct {
	Reign
	Mode     Mode
	Sequence uint64
	Events   []Event
}

const batchVersion = 1

// ErrBatch is wrapped by every error of DecodeBatch.
var ErrBatch = errors.New("not an event batch")

// Encode returns the body of a TypeBatch message: a version byte, the mode, then unsigned
// varints and length-prefixed strings. It allocates once.
func (b Batch) Encode() []byte {
	size := 2 + 5*binary.MaxVarintLen64 + len(b.Worker)
	for i := range b.Events {
		e := &b.Events[i]
		size += 4*binary.MaxVarintLen32 + len(e.Group) + len(e.ID) + len(e.Trace) + len(e.Payload)
	}
	out := make([]byte, 0, size)
	out = append(out, batchVersion, byte(b.Mode))
	out = binary.AppendUvarint(out, uint64(b.Shard))
	out = binary.AppendUvarint(out, b.Epoch)
	out = appendBytes(out, string(b.Worker))
	out = binary.AppendUvarint(out, b.Sequence)
	out = binary.AppendUvarint(out, uint64(len(b.Events)))
	for i := range b.Events {
		e := &b.Events[i]
		out = appendBytes(out, string(e.Group))
		out = appendBytes(out, e.ID)
		out = appendBytes(out, e.Trace)
		out = binary.AppendUvarint(out, uint64(len(e.Payload)))
		out = append(out, e.Payload...)
	}
	return out
}

// DecodeBatch decodes a TypeBatch body. The payloads share the body's memory.
func DecodeBatch(body []byte) (Batch, error) {
	if len(body) < 2 || body[0] != batchVersion {
		return Batch{}, fmt.Errorf("%w: version or length", ErrBatch)
	}
	b := Batch{Mode: Mode(body[1])}
	if b.Mode != ModeDirect && b.Mode != ModeFlood {
		return Batch{}, fmt.Errorf("%w: mode %d", ErrBatch, body[1])
	}
	r := fieldReader{rest: body[2:]}
	b.Shard = int(r.bounded(MaxShards - 1))
	b.Epoch = r.uvarint()
	b.Worker = WorkerID(r.bytes())
	b.Sequence = r.uvarint()
	count := r.bounded(uint64(len(body)))
	if r.bad {
		return Batch{}, fmt.Errorf("%w: header", ErrBatch)
	}
	b.Events = make([]Event, 0, min(count, uint64(len(r.rest)/4+1)))
	for range count {
		e := Event{Group: Group(r.bytes()), ID: string(r.bytes()), Trace: string(r.bytes()), Payload: r.bytes()}
		if r.bad {
			return Batch{}, fmt.Errorf("%w: event %d of %d", ErrBatch, len(b.Events), count)
		}
		b.Events = append(b.Events, e)
	}
	if len(r.rest) != 0 {
		return Batch{}, fmt.Errorf("%w: %d bytes too many", ErrBatch, len(r.rest))
	}
	return b, nil
}
