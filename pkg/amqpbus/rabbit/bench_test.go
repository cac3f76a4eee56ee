package rabbit

import (
	"io"
	"testing"
)

// BenchmarkGuard reads what a worker reads, in the library's pieces, with a guard
// and without. An operation is a frame.
func BenchmarkGuard(b *testing.B) {
	for _, c := range []struct {
		name  string
		table []byte
	}{{"plain", nil}, {"traced", traced}, {"an L", append(append([]byte{}, traced...), entry("k", 'L', 0, 0, 0, 0, 0, 0, 0, 1)...)}} {
		stream, frames := usual(c.table)
		perFrame := len(stream) / frames
		for name, reader := range map[string]func(*endless) io.Reader{
			"guarded": func(e *endless) io.Reader { return &guard{Conn: e} },
			"bare":    func(e *endless) io.Reader { return e },
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				r, p := reader(&endless{bytes: stream}), make([]byte, 4096)
				b.ReportAllocs()
				b.SetBytes(int64(perFrame))
				b.ResetTimer()
				for left := b.N * perFrame; left > 0; {
					n, err := r.Read(p)
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			})
		}
	}
}
