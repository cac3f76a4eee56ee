package rabbit

import (
	"bytes"
	"testing"
)

func seedTables(f *testing.F, add func(table []byte)) {
	f.Helper()
	for _, kind := range []byte("tbBsUuIilLfdDTVSxFA?") {
		add(entry("k", typed(kind, []byte{0, 0, 0, 4, 1, 'a', 'V', 0})...))
	}
	add(traced)
	add(entry("k", nested('F', 40)...))
	add(entry("k", nested('A', 40)...))
	add(entry("x-death", typed('A', long(typed('F', long(entry("count", 'L', 0, 0, 0, 0, 0, 0, 0, 3)))))...))
	add([]byte{1})
}

// FuzzTheLibraryReads delivers any header table to the real library: its
// connection lives on and the message arrives. A mended table is not mended again.
func FuzzTheLibraryReads(f *testing.F) {
	seedTables(f, func(table []byte) { f.Add(table) })
	f.Add(numbered(maxEntries + 1))
	f.Add(entry("k", typed('A', long(bytes.Repeat([]byte{'V'}, maxEntries+1)))...))
	l := newListener(f)
	f.Fuzz(func(t *testing.T, table []byte) {
		h := contentHeader(append([]byte{}, table...), 4)
		if _, err := l.hear(h); err != nil {
			t.Fatalf("%q: %v", table, err)
		}
		if once := mended(h, 0); !bytes.Equal(mended(once, 0), once) {
			t.Fatalf("%q: what was mended is mended again", table)
		}
	})
}

// FuzzGuard cuts a stream with any header table anywhere.
func FuzzGuard(f *testing.F) {
	seedTables(f, func(table []byte) { f.Add(table, uint64(len(table))) })
	f.Fuzz(throughAGuard)
}
