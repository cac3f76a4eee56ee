package rabbit

import (
	"encoding/binary"
	"slices"
)

// What the library can decode of a header table. Anything else ends its connection.
const (
	maxDepth   = 32    // levels of tables and lists within the table
	maxEntries = 8_192 // of one table or list
)

// keptEntry is the largest entry in bytes that is kept if a table must become shorter. The
// broker's history of one dead-lettering has 1 KiB at most.
const keptEntry = 4 << 10

// A content header's payload consists of class, weight, body size and flags, then the properties
// whose flags are set, in the order of the flags (AMQP 0-9-1, 2.3.5.2).
const (
	classBasic          = 60
	flagsAt             = frameStart + 12
	propertiesAt        = flagsAt + 2
	flagContentType     = 1 << 15
	flagContentEncoding = 1 << 14
	flagHeaders         = 1 << 13
)

// fieldSize is the size of a field by its type, including the octet of the type. 0 means that
// the library does not know the type, prefixed that the value begins with its length in four
// bytes.
var fieldSize = [256]byte{
	't': 2, 'b': 2, 'B': 2, 's': 3, 'u': 3, 'I': 5, 'i': 5, 'f': 5, 'D': 6, 'l': 9, 'd': 9, 'T': 9, 'V': 1,
	'S': prefixed, 'x': prefixed, 'A': prefixed, 'F': prefixed,
}

const (
	prefixed = 0xFF
	prefix   = 5 // the octet of the type and the length
)

// mend changes a content header, in place, so that the library can decode it, and returns its
// new length, which is not greater than the old one. A header that the library can decode stays
// as it is (except that repeated keys count as entries). In any other header
//
//   - a 64-bit integer of type L, which the library does not know, becomes one of type l with
//     the same bytes;
//   - a nested table or list that is too deep, has too many entries or cannot be decoded becomes
//     a byte string with the same bytes;
//   - of the header table itself, everything after the last entry that can be decoded is left
//     out. If it has more entries than the library accepts, only the first texts and lists are
//     kept (RabbitMQ 3.10 delivers entries in the publisher's order, RabbitMQ 4 sorted by key,
//     so the ones that Belfry uses may come last);
//   - if the frame is longer than frameMax, because the broker has added entries, large entries
//     are left out, and small ones for which there is no room.
//
// The headers that Belfry uses are texts and lists, so they are usually still there.
func mend(frame []byte, frameMax int) int {
	at, size, ok := headerTable(frame)
	if !ok {
		return len(frame)
	}
	table := frame[at : at+size]
	kept, entries := mendEntries(table, 0, size)
	room := frameMax - (len(frame) - size)
	if entries > maxEntries || frameMax > 0 && kept > room {
		offsetFirst(table[:kept])
	}
	if entries > maxEntries {
		kept = keepRead(table[:kept])
	}
	if frameMax > 0 && kept > room {
		kept = keepSmall(table[:kept], room)
	}
	if kept == size {
		return len(frame)
	}
	copy(frame[at+kept:], frame[at+size:])
	shorter := len(frame) - (size - kept)
	binary.BigEndian.PutUint32(frame[at-4:], uint32(kept))
	binary.BigEndian.PutUint32(frame[3:], uint32(shorter-frameStart-frameEnd))
	return shorter
}

// headerTable returns the position and size of the entries of a content header's table.
func headerTable(frame []byte) (at, size int, ok bool) {
	if len(frame) < propertiesAt+frameEnd || binary.BigEndian.Uint16(frame[frameStart:]) != classBasic {
		return 0, 0, false
	}
	flags := binary.BigEndian.Uint16(frame[flagsAt:])
	if flags&flagHeaders == 0 {
		return 0, 0, false
	}
	at = propertiesAt
	for _, before := range [...]uint16{flagContentType, flagContentEncoding} {
		if flags&before != 0 && at < len(frame) {
			at += 1 + int(frame[at])
		}
	}
	at += 4
	if at+frameEnd > len(frame) {
		return 0, 0, false
	}
	size = int(binary.BigEndian.Uint32(frame[at-4:]))
	return at, size, size <= len(frame)-frameEnd-at
}

// mendTable repairs the values of a table's entries, in place, and returns how many bytes from its
// beginning the library can decode.
func mendTable(b []byte, depth int) int {
	size, _ := mendEntries(b, depth, maxEntries)
	return size
}

// mendEntries is mendTable for at most most entries. It also returns how many entries it has
// repaired.
func mendEntries(b []byte, depth, most int) (size, entries int) {
	at := 0
	for entries < most && at < len(b) {
		value := at + 1 + int(b[at])
		if value >= len(b) {
			break
		}
		n := mendField(b[value:], depth)
		if n == 0 {
			break
		}
		at = value + n
		entries++
	}
	return at, entries
}

// mendList is mendTable for a list, whose fields have no keys.
func mendList(b []byte, depth int) int {
	at := 0
	for range maxEntries {
		if at == len(b) {
			break
		}
		n := mendField(b[at:], depth)
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// mendField repairs the field at the beginning of b, which is not empty, and returns its size, or
// 0 if the size cannot be determined.
func mendField(b []byte, depth int) int {
	if b[0] == 'L' {
		b[0] = 'l'
	}
	size := int(fieldSize[b[0]])
	if size != prefixed {
		if size > len(b) {
			return 0
		}
		return size
	}
	if len(b) < prefix {
		return 0
	}
	long := binary.BigEndian.Uint32(b[1:])
	if uint64(long) > uint64(len(b)-prefix) {
		return 0
	}
	size = prefix + int(long)
	value := b[prefix:size]
	switch {
	case b[0] == 'F' && (depth == maxDepth || mendTable(value, depth+1) < len(value)),
		b[0] == 'A' && (depth == maxDepth || mendList(value, depth+1) < len(value)):
		b[0] = 'x'
	}
	return size
}

// offsetHeader is an entry's number in a log, which the broker adds. Without it the
// entry cannot be read, and what stands behind it neither.
const offsetHeader = "x-stream-offset"

// offsetFirst moves the offset to the beginning of a repaired table, in front of what
// there may be no room for.
func offsetFirst(b []byte) {
	for at := 0; at < len(b); {
		value := at + 1 + int(b[at])
		end := value + mendField(b[value:], 0)
		if string(b[at+1:value]) == offsetHeader {
			offset := slices.Clone(b[at:end])
			copy(b[len(offset):end], b[:at])
			copy(b, offset)
			return
		}
		at = end
	}
}

// keepSmall moves the small entries of a repaired table to its beginning, as many as there is
// room for, and returns their size in bytes.
func keepSmall(b []byte, room int) int {
	kept := 0
	for at := 0; at < len(b); {
		value := at + 1 + int(b[at])
		end := value + mendField(b[value:], 0)
		if n := end - at; n <= keptEntry && kept+n <= room {
			kept += copy(b[kept:], b[at:end])
		}
		at = end
	}
	return kept
}

// keepRead moves what Belfry uses of a repaired table, its texts and lists and the offset, to
// its beginning, as many as the library accepts, and returns their size in bytes.
func keepRead(b []byte) int {
	kept, entries := 0, 0
	for at := 0; at < len(b) && entries < maxEntries; {
		value := at + 1 + int(b[at])
		end := value + mendField(b[value:], 0)
		if b[value] == 'S' || b[value] == 'A' || string(b[at+1:value]) == offsetHeader {
			kept += copy(b[kept:], b[at:end])
			entries++
		}
		at = end
	}
	return kept
}
