package rabbit

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
)

// scripted is a connection that gives its bytes in pieces, then its error.
type scripted struct {
	net.Conn
	bytes []byte
	piece func() int // how many at most in the next read
	last  error
	early bool // the error comes with the last bytes
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.bytes) == 0 {
		return 0, s.last
	}
	n := copy(p[:min(len(p), s.piece())], s.bytes)
	s.bytes = s.bytes[n:]
	if len(s.bytes) == 0 && s.early {
		return n, s.last
	}
	return n, nil
}

// message is the frames of a delivery with this table and body.
func message(table, body []byte) [][]byte {
	deliver := append([]byte{0, 60, 0, 60}, entry("belfry")...)
	deliver = append(deliver, 0, 0, 0, 0, 0, 0, 0, 9, 0)
	deliver = append(append(deliver, entry("belfry.emit")...), entry("job_events-42")...)
	frames := [][]byte{frame(1, 1, deliver), contentHeader(table, len(body))}
	for len(body) > 0 {
		n := min(len(body), 10_000)
		frames = append(frames, frame(3, 1, body[:n]))
		body = body[n:]
	}
	return frames
}

// readAll reads in pieces of the sizes that next gives.
func readAll(r io.Reader, next func() int) ([]byte, error) {
	var all []byte
	buffer := make([]byte, 100_000)
	for {
		p := buffer[:next()]
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// throughAGuard checks that a stream of messages, some with this table, comes
// out as each of its frames mended alone, however the reads are cut.
func throughAGuard(t *testing.T, table []byte, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	frameMax := 60 + rnd.IntN(2*len(table)+200)
	var sent, want []byte
	for range 1 + rnd.IntN(20) {
		frames := [][]byte{frame(8, 0, nil)} // a heartbeat
		body := bytes.Repeat([]byte{frameHeader}, rnd.IntN(3)*rnd.IntN(9000))
		switch rnd.IntN(4) {
		case 0:
			frames = message(nil, body)
		case 1:
			frames = message(goodTable(rnd, 0), body)
		case 2:
			frames = message(table, body)
		}
		for _, f := range frames {
			sent = append(sent, f...)
			if f[0] == frameHeader {
				f = mended(f, frameMax)
			}
			want = append(want, f...)
		}
	}
	sizes := []int{1, 6, 7, 8, 100, 4096, 100_000}
	piece := func() int { return 1 + rnd.IntN(sizes[int(seed)%len(sizes)]) }
	g := &guard{Conn: &scripted{bytes: sent, piece: piece, last: os.ErrDeadlineExceeded, early: rnd.IntN(2) == 0}}
	g.frameMax.Store(int64(frameMax))
	got, err := readAll(g, func() int { return 1 + rnd.IntN(sizes[int(seed/7)%len(sizes)]) })
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Fatalf("seed %d: %d bytes, want %d; the first that differs is %d of %d sent", seed, len(got), len(want), at, len(sent))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("seed %d: the connection's error became %v", seed, err)
	}
}

func TestGuardUnderAnyCut(t *testing.T) {
	tables := [][]byte{
		{}, entry("k", 'L', 0, 0, 0, 0, 0, 0, 0, 1), numbered(9000), append(numbered(700), 4, 'c'), entry("k", nested('A', 400)...),
	}
	cuts := uint64(10)
	if os.Getenv("BELFRY_TEST_FULL") != "" { // make verify
		cuts = 49
	}
	for seed := range cuts * uint64(len(tables)) {
		throughAGuard(t, tables[seed/cuts], seed)
	}
}

// A connection that ends within a frame ends for the library too.
func TestGuardEndsWithItsConnection(t *testing.T) {
	f := contentHeader(numbered(2000), 0)
	for _, at := range []int{0, 1, 6, 7, 8, 30, 5000, len(f) - 1} {
		for _, early := range []bool{true, false} {
			g := &guard{Conn: &scripted{bytes: slices.Clone(f[:at]), piece: func() int { return 4096 }, last: io.EOF, early: early}}
			if got, err := readAll(g, func() int { return 4096 }); len(got) != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("%d bytes of a frame: %d bytes came out, %v", at, len(got), err)
			}
		}
	}
}

// endless repeats its bytes.
type endless struct {
	net.Conn
	bytes []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.bytes[e.at:])
	e.at = (e.at + n) % len(e.bytes)
	return n, nil
}

// usual is a stream of what a worker reads: emits of 200 bytes with a message id
// and, when traced, a traceparent.
func usual(table []byte) (stream []byte, frames int) {
	for range 1000 {
		for _, f := range message(table, bytes.Repeat([]byte("x"), 200)) {
			stream = append(stream, f...)
			frames++
		}
	}
	return stream, frames
}

var traced = slices.Concat(entry("group", text("job_events-42")...),
	entry("traceparent", text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")...))

func TestGuardAllocatesNothing(t *testing.T) {
	for name, table := range map[string][]byte{"plain": nil, "traced": traced, "an L": entry("k", 'L', 0, 0, 0, 0, 0, 0, 0, 1)} {
		stream, _ := usual(table)
		g := &guard{Conn: &endless{bytes: stream}}
		p := make([]byte, 4096)
		read := func() {
			if _, err := g.Read(p); err != nil {
				t.Fatal(err)
			}
		}
		for range 1000 {
			read() // the memory for beginnings grows to its size
		}
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations a read", name, n)
		}
	}
}
