package rabbit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// long is a value with its length in front.
func long(value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(value))), value...)
}

func entry(key string, field ...byte) []byte {
	return append(append([]byte{byte(len(key))}, key...), field...)
}

func typed(kind byte, value []byte) []byte { return append([]byte{kind}, value...) }

func text(s string) []byte { return typed('S', long([]byte(s))) }

// nested is a field of so many tables or lists (F or A), one in the other.
func nested(kind byte, levels int) []byte {
	field := typed(kind, long(nil))
	for range levels - 1 {
		if kind == 'F' {
			field = entry("n", field...)
		}
		field = typed(kind, long(field))
	}
	return field
}

// numbered are so many entries with keys of their own.
func numbered(count int) []byte {
	var b []byte
	for i := range count {
		b = append(b, entry(fmt.Sprint(i), 'V')...)
	}
	return b
}

// contentHeader is a frame with this table (nil: none) between other properties.
func contentHeader(table []byte, size int) []byte {
	flags := uint16(flagContentType | 1<<7)
	if table != nil {
		flags |= flagHeaders
	}
	p := binary.BigEndian.AppendUint64([]byte{0, classBasic, 0, 0}, uint64(size))
	p = binary.BigEndian.AppendUint16(p, flags)
	p = append(p, entry("application/json")...)
	if table != nil {
		p = append(p, long(table)...)
	}
	return frame(frameHeader, 1, append(p, entry("an id")...))
}

func frame(kind byte, channel uint16, payload []byte) []byte {
	return append(append(binary.BigEndian.AppendUint16([]byte{kind}, channel), long(payload)...), 0xCE)
}

// mended is mend on a copy.
func mended(frame []byte, frameMax int) []byte {
	b := slices.Clone(frame)
	return b[:mend(b, frameMax)]
}

func TestMend(t *testing.T) {
	number := bytes.Repeat([]byte{7}, 8)
	good := slices.Concat(entry("group", text("jobs-1")...), entry("n", typed('l', number)...))
	list := func(fields ...[]byte) []byte { return typed('A', long(slices.Concat(fields...))) }
	table := func(entries ...[]byte) []byte { return typed('F', long(slices.Concat(entries...))) }
	voids := bytes.Repeat([]byte{'V'}, maxEntries+1)
	for _, c := range []struct {
		name     string
		in, want []byte
	}{
		{"an L", append(slices.Clone(good), entry("k", typed('L', number)...)...), append(slices.Clone(good), entry("k", typed('l', number)...)...)},
		{"an L in a list in a table", entry("k", table(entry("k", list(typed('L', number))...))...), entry("k", table(entry("k", list(typed('l', number))...))...)},
		{"a list with an unknown field", entry("k", list(text("a"), typed('?', number))...), entry("k", typed('x', long(append(text("a"), typed('?', number)...)))...)},
		{"only what holds it is lost", entry("k", list(text("a"), table(entry("b", typed('?', number)...)))...),
			entry("k", list(text("a"), typed('x', long(entry("b", typed('?', number)...))))...)},
		{"a list of too many", entry("k", typed('A', long(voids))...), entry("k", typed('x', long(voids))...)},
		{"a table of too many in a table", entry("k", typed('F', long(numbered(maxEntries+1)))...), entry("k", typed('x', long(numbered(maxEntries+1)))...)},
		{"a field that ends before its value", entry("k", table(entry("a", 'l', 1))...), entry("k", typed('x', long(entry("a", 'l', 1)))...)},
		{"a text longer than what holds it", entry("k", list(typed('S', []byte{0, 0, 0, 9, 'x'}))...), entry("k", typed('x', long(typed('S', []byte{0, 0, 0, 9, 'x'})))...)},
		{"a length over 31 bits", append(slices.Clone(good), entry("k", 'x', 0xFF, 0xFF, 0xFF, 0xFF)...), good},
		{"an unknown field", append(slices.Clone(good), entry("k", typed('?', number)...)...), good},
		{"nothing but an unknown field", entry("k", typed('?', number)...), nil},
		{"a key without a value", append(slices.Clone(good), 1, 'k'), good},
		{"a key that is cut off", append(slices.Clone(good), 9, 'k'), good},
		{"too many entries, what we read first", slices.Concat(good, numbered(maxEntries)), entry("group", text("jobs-1")...)},
		{"too many entries, what we read last", slices.Concat(numbered(maxEntries), good, entry("x-death", list(text("a"))...)),
			slices.Concat(entry("group", text("jobs-1")...), entry("x-death", list(text("a"))...))},
		{"too many texts", bytes.Repeat(entry("k", text("")...), maxEntries+1), bytes.Repeat(entry("k", text("")...), maxEntries)},
		{"too many entries and an unknown field", slices.Concat(numbered(maxEntries), good, entry("k", typed('?', number)...), good), entry("group", text("jobs-1")...)},
	} {
		if got, want := mended(contentHeader(c.in, 5), 0), contentHeader(append([]byte{}, c.want...), 5); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got  %.200q\n want %.200q", c.name, got, want)
		}
	}
	for _, kind := range []byte("FA") {
		level := func(f []byte) []byte {
			if kind == 'F' {
				f = entry("n", f...)
			}
			return typed(kind, long(f))
		}
		// The list or table on level maxDepth+1 becomes a byte string.
		in, want := nested(kind, maxDepth+3), typed('x', nested(kind, 3)[1:])
		for range maxDepth {
			want = level(want)
		}
		if got := mended(contentHeader(entry("k", in...), 5), 0); !bytes.Equal(got, contentHeader(entry("k", want...), 5)) {
			t.Errorf("%d levels of %c become %q", maxDepth+3, kind, got)
		}
	}
}

// What the broker adds to a table may make the frame longer than agreed.
func TestMendAFrameThatIsTooLong(t *testing.T) {
	big, small := entry("big", text(strings.Repeat("x", 2*keptEntry))...), entry("small", text("s")...)
	some := entry("some", text(strings.Repeat("y", keptEntry-20))...)
	f := contentHeader(slices.Concat(small, big, some, small), 0)
	for _, c := range []struct {
		what string
		max  int
		want []byte
	}{
		{"without a bound", 0, slices.Concat(small, big, some, small)},
		{"at the bound", len(f), slices.Concat(small, big, some, small)},
		{"one byte over", len(f) - 1, slices.Concat(small, some, small)},
		{"no room for all small ones", len(f) - len(big) - len(some), slices.Concat(small, small)},
		{"no room at all", 60, nil},
	} {
		want := contentHeader(append([]byte{}, c.want...), 0)
		got := mended(f, c.max)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", c.what, len(got), len(want))
		}
	}
}

// Frames whose table cannot be found are the library's to judge.
func TestMendLeavesWhatItDoesNotKnow(t *testing.T) {
	whole := contentHeader(entry("k", typed('L', make([]byte, 8))...), 0)
	other := slices.Clone(whole)
	other[frameStart+1] = 61
	beyond := slices.Clone(whole)
	beyond[propertiesAt+len(entry("application/json"))] = 1 // the table's length
	for name, f := range map[string][]byte{
		"without a table": contentHeader(nil, 0), "an empty table": contentHeader([]byte{}, 0),
		"another class": other, "a table beyond the frame": beyond, "no properties": frame(frameHeader, 1, nil),
		"a header cut off": frame(frameHeader, 1, whole[frameStart:propertiesAt+5]),
	} {
		if got := mended(f, 0); !bytes.Equal(got, f) {
			t.Errorf("%s: became %q", name, got)
		}
	}
}

// goodTable makes a table that the library reads.
func goodTable(rnd *rand.Rand, depth int) []byte {
	var b []byte
	for i := range rnd.IntN(5) {
		b = append(b, entry(strings.Repeat("k", rnd.IntN(4))+fmt.Sprint(i), goodField(rnd, depth)...)...)
	}
	return b
}

func goodField(rnd *rand.Rand, depth int) []byte {
	const kinds = "tbBsuIifDldTVSxAF"
	kind := kinds[rnd.IntN(len(kinds))]
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	switch {
	case fieldSize[kind] != prefixed:
		return typed(kind, bytesOf(int(fieldSize[kind])-1))
	case kind == 'S' || kind == 'x' || depth == maxDepth:
		return typed('S', long(bytesOf(rnd.IntN(20))))
	case kind == 'F':
		return typed('F', long(goodTable(rnd, depth+1)))
	default:
		var list []byte
		for range rnd.IntN(4) {
			list = append(list, goodField(rnd, depth+1)...)
		}
		return typed('A', long(list))
	}
}

func TestGoodTablesStay(t *testing.T) {
	tables := map[string][]byte{
		"deepest F": entry("k", nested('F', maxDepth)...), "deepest A": entry("k", nested('A', maxDepth)...),
		"most entries": numbered(maxEntries), "longest list": entry("k", typed('A', long(bytes.Repeat([]byte{'V'}, maxEntries)))...),
	}
	for seed := range uint64(2000) {
		tables[fmt.Sprint("seed ", seed)] = append([]byte{}, goodTable(rand.New(rand.NewPCG(seed, 1)), 0)...)
	}
	l := newListener(t)
	for name, table := range tables {
		f := contentHeader(table, 4)
		if got := mended(f, len(f)); !bytes.Equal(got, f) {
			t.Fatalf("%s: %q became %q", name, f, got)
		}
		if _, err := l.hear(f); err != nil {
			t.Fatalf("%s: the library does not read %q: %v", name, f, err)
		}
	}
}
