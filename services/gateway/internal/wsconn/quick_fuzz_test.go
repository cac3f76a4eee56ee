package wsconn

import (
	"bytes"
	"slices"
	"sync"
	"testing"
)

// recorded is a socket that brings a stream and keeps what is written.
type recorded struct {
	pieces
	mu      sync.Mutex
	written []byte
}

func (r *recorded) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written = append(r.written, p...)
	return len(p), nil
}

// listener keeps the messages that it receives.
type listener struct{ messages [][]byte }

func (l *listener) Receive(message []byte) { l.messages = append(l.messages, message) }
func (l *listener) Crashed(p any)          { panic(p) }
func (l *listener) Ended(Ending)           {}

// FuzzTheQuickWay: what the poller handles by itself comes to the same as reading it
// in a goroutine, in messages, answers and the scanner's state.
func FuzzTheQuickWay(f *testing.F) {
	for _, c := range conformance {
		f.Add(slices.Concat(c.frames...))
	}
	f.Add(slices.Concat(frame(0x8A, ""), frame(0x81, "a"), frame(0x89, "b"), frame(0x81, "c")))
	o := Options{ControlFrames: 1 << 30}.WithDefaults()
	f.Fuzz(func(t *testing.T, stream []byte) {
		var shared library
		defer shared.close()
		quick, fast := &Conn{opts: &o, raw: &recorded{}}, new(listener)
		quick.handler = fast
		if !quick.quick(stream, &shared) {
			if quick.received.Load() != 0 || quick.scan != (scanner{}) || len(fast.messages) != 0 {
				t.Fatal("what was not handled has left something")
			}
			return
		}
		alone, slow := &Conn{opts: &o, raw: &recorded{pieces: pieces{stream, 1 << 20}}, reading: new(reading)}, new(listener)
		alone.handler = slow
		alone.readMessages()
		alone.dropLibrary()
		if !slices.EqualFunc(fast.messages, slow.messages, bytes.Equal) {
			t.Fatalf("%q handled gave %q, read %q", stream, fast.messages, slow.messages)
		}
		if quick.scan.step != alone.scan.step || quick.scan.inside != alone.scan.inside || quick.scan.count != alone.scan.count {
			t.Fatalf("%q: the scanners differ: %+v, %+v", stream, quick.scan, alone.scan)
		}
		until(t, "the answers", func() bool { return bytes.Equal(answers(quick), answers(alone)) })
	})
}

func answers(c *Conn) []byte {
	r := c.raw.(*recorded)
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.written)
}
