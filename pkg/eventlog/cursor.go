package eventlog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LastIndex is the index at which every entry ends: an entry holds at most
// LastIndex+1 events.
const LastIndex = 1023

// Fingerprint tells whether an entry is the one that was seen before. Four bytes
// suffice against chance; a key keeps clients from making them up.
type Fingerprint [4]byte

// Key makes fingerprints; it may be empty. All workers of an installation have
// the same one.
type Key []byte

// Fingerprint of the entry at an offset: the first four bytes of the HMAC-SHA-256
// of its offset and its message id or, where it has none, its body.
func (k Key) Fingerprint(offset int64, id string, body []byte) Fingerprint {
	h := hmac.New(sha256.New, k)
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(offset))
	h.Write(number[:])
	if id != "" {
		h.Write([]byte(id))
	} else {
		h.Write(body)
	}
	return Fingerprint(h.Sum(nil)[:4])
}

// Cursor names an entry. The end of that entry is the position that it stands for.
type Cursor struct {
	Offset int64
	FP     Fingerprint
}

// NoCursor is the cursor of somebody who has read nothing.
var NoCursor = Cursor{Offset: -1}

// IsNone reports whether the cursor names no entry.
func (c Cursor) IsNone() bool { return c.Offset < 0 }

// Position is a place in a log: behind the event Index of the entry Offset.
type Position struct {
	Offset int64
	Index  int
}

// End is the position behind the whole entry.
func (c Cursor) End() Position { return Position{Offset: c.Offset, Index: LastIndex} }

// Before reports whether p lies before q.
func (p Position) Before(q Position) bool {
	return p.Offset < q.Offset || p.Offset == q.Offset && p.Index < q.Index
}

// ClientCursor is a cursor as a client keeps it: it says in which installation and log it
// is a place, and where in the entry.
type ClientCursor struct {
	Shards int // the installation's number of shards
	Log    int // 0 to Shards; Shards is the log of events that came without a shard
	Index  int // of the last event that the client has of the entry, 0 to LastIndex
	Cursor
}

// Position of the cursor.
func (c ClientCursor) Position() Position { return Position{Offset: c.Offset, Index: c.Index} }

// String is the form `2.<logs>.<log>.<offset>.<index>.<fingerprint>`.
func (c ClientCursor) String() string {
	return fmt.Sprintf("2.%d.%d.%d.%d.%s", c.Shards, c.Log, c.Offset, c.Index, hex.EncodeToString(c.FP[:]))
}

// ErrCursor is what ParseCursor says of a text that String does not make.
var ErrCursor = errors.New("a cursor has the form 2.<shards>.<log>.<offset>.<index>.<fingerprint>: send one that an event or an answer carried")

// ParseCursor reads the form of String, and nothing else: a cursor has one spelling.
func ParseCursor(text string) (ClientCursor, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 6 || parts[0] != "2" || len(text) > 80 {
		return ClientCursor{}, ErrCursor
	}
	var c ClientCursor
	var errs [4]error
	c.Shards, errs[0] = strconv.Atoi(parts[1])
	c.Log, errs[1] = strconv.Atoi(parts[2])
	c.Offset, errs[2] = strconv.ParseInt(parts[3], 10, 64)
	c.Index, errs[3] = strconv.Atoi(parts[4])
	if errors.Join(errs[:]...) != nil || len(parts[5]) != 2*len(c.FP) {
		return ClientCursor{}, ErrCursor
	}
	if _, err := hex.Decode(c.FP[:], []byte(parts[5])); err != nil {
		return ClientCursor{}, ErrCursor
	}
	if c.Shards < 1 || c.Log < 0 || c.Log > c.Shards || c.Offset < 0 || c.Index < 0 || c.Index > LastIndex || c.String() != text {
		return ClientCursor{}, ErrCursor
	}
	return c, nil
}
