package wsconn

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"belfry/pkg/protocol"
)

// conformance lists what RFC 6455 demands of a server, in the order of its sections,
// with the close codes of docs/client-protocol.md. The numbers are the cases of the
// Autobahn test suite that test the same.
var conformance = []struct {
	name   string
	frames [][]byte
	want   []string // frames of the server
	ending Ending
}{
	{"1.1 a text", [][]byte{frame(0x81, "hello"), closing(1000, "")}, []string{"text hello", "close 1000"}, Ending{ByClient, 1000}},
	{"1.1.1 an empty text", [][]byte{frame(0x81, ""), closing(1000, "")}, []string{"text ", "close 1000"}, Ending{ByClient, 1000}},
	{"1.1.6 a text of 65,535 bytes", [][]byte{frame(0x81, strings.Repeat("*", 65535)), closing(1000, "")},
		[]string{"text " + strings.Repeat("*", 65535), "close 1000"}, Ending{ByClient, 1000}},
	{"1.2 binary is not spoken here", [][]byte{frame(0x82, "x")}, []string{"close 1003"}, by(1003)},
	{"2.1 ping and pong", [][]byte{frame(0x89, ""), frame(0x89, "abc"), closing(1000, "")}, []string{"pong ", "pong abc", "close 1000"}, Ending{ByClient, 1000}},
	{"2.4 a ping of 125 bytes", [][]byte{frame(0x89, strings.Repeat("p", 125)), closing(1000, "")},
		[]string{"pong " + strings.Repeat("p", 125), "close 1000"}, Ending{ByClient, 1000}},
	{"2.5 a ping of 126 bytes", [][]byte{frame(0x89, strings.Repeat("p", 126))}, []string{"close 1002"}, by(1002)},
	{"2.7 a pong that nobody asked for", [][]byte{frame(0x8A, "x"), frame(0x81, "a"), closing(1000, "")}, []string{"text a", "close 1000"}, Ending{ByClient, 1000}},
	{"3.1 a reserved bit", [][]byte{frame(0xC1, "x")}, []string{"close 1002"}, by(1002)},
	{"3.2 a reserved bit after a text", [][]byte{frame(0x81, "a"), frame(0xA1, "x")}, []string{"text a", "close 1002"}, by(1002)},
	{"4.1 a reserved opcode", [][]byte{frame(0x83, "")}, []string{"close 1002"}, by(1002)},
	{"4.2 a reserved control opcode", [][]byte{frame(0x8B, "")}, []string{"close 1002"}, by(1002)},
	{"5.1 a fragmented ping", [][]byte{frame(0x09, "a"), frame(0x80, "b")}, []string{"close 1002"}, by(1002)},
	{"5.3 a fragmented text", [][]byte{frame(0x01, "he"), frame(0x00, "l"), frame(0x80, "lo"), closing(1000, "")}, []string{"text hello", "close 1000"}, Ending{ByClient, 1000}},
	{"5.6 a ping between fragments", [][]byte{frame(0x01, "he"), frame(0x89, "p"), frame(0x80, "llo"), closing(1000, "")}, []string{"pong p", "text hello", "close 1000"}, Ending{ByClient, 1000}},
	{"5.9 a continuation of nothing", [][]byte{frame(0x80, "x")}, []string{"close 1002"}, by(1002)},
	{"5.18 a text within a text", [][]byte{frame(0x01, "a"), frame(0x81, "b")}, []string{"close 1002"}, by(1002)},
	{"6.2 UTF-8 split within a character", [][]byte{frame(0x01, "\xc3"), frame(0x80, "\xa9"), closing(1000, "")}, []string{"text é", "close 1000"}, Ending{ByClient, 1000}},
	{"6.3 invalid UTF-8", [][]byte{frame(0x81, "\xce\xba\xed\xa0\x80")}, []string{"close 1007"}, by(1007)},
	{"7.1.3 what follows a close is not looked at", [][]byte{slices.Concat(closing(1000, "bye"), frame(0x89, "x"), frame(0x83, ""))}, []string{"close 1000"}, Ending{ByClient, 1000}},
	{"7.3.1 a close without a code", [][]byte{frame(0x88, "")}, []string{"close"}, Ending{ByClient, statusNone}},
	{"7.3.2 a close of one byte", [][]byte{frame(0x88, "x")}, []string{"close 1002"}, by(1002)},
	{"7.3.6 a close of 126 bytes", [][]byte{frame(0x88, strings.Repeat("x", 126))}, []string{"close 1002"}, by(1002)},
	{"7.5.1 a close whose reason is not UTF-8", [][]byte{closing(1000, "\xce\xba\xed\xa0\x80")}, []string{"close 1007"}, by(1007)},
	{"7.9 close 0", [][]byte{closing(0, "")}, []string{"close 1002"}, by(1002)},
	{"7.9 close 999", [][]byte{closing(999, "")}, []string{"close 1002"}, by(1002)},
	{"7.9 close 1005", [][]byte{closing(1005, "")}, []string{"close 1002"}, by(1002)},
	{"7.9 close 5000", [][]byte{closing(5000, "")}, []string{"close 1002"}, by(1002)},
	{"7.7 close 4999", [][]byte{closing(4999, "")}, []string{"close 4999"}, Ending{ByClient, 4999}},
	{"9 a text over the limit", [][]byte{frame(0x81, strings.Repeat("*", 65537))}, []string{"close 1009"}, by(1009)},
	{"9 fragments over the limit", [][]byte{frame(0x01, strings.Repeat("*", 65536)), frame(0x80, "x")}, []string{"close 1009"}, by(1009)},
	{"5.1 of the RFC: not masked", [][]byte{{0x81, 0x01, 'x'}}, []string{"close 1002"}, by(1002)},
	{"5.2 of the RFC: not the shortest length", [][]byte{{0x81, 0x80 | 126, 0, 5}}, []string{"close 1002"}, by(1002)},
	{"5.2 of the RFC: the top bit of a length", [][]byte{{0x81, 0x80 | 127, 0x80}}, []string{"close 1002"}, by(1002)},
	{"2^62 bytes announced", [][]byte{{0x81, 0x80 | 127, 0x40, 0, 0, 0, 0, 0, 0, 0}}, []string{"close 1009"}, by(1009)},
}

func TestConformance(t *testing.T) {
	s := serve(t, Options{})
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			p, _ := dial(t, s)
			p.write(c.frames...)
			p.expect(c.want...)
			p.gone()
			_ = p.raw.Close()
			if got := s.ending(t); got != c.ending {
				t.Errorf("it ended as %+v, want %+v", got, c.ending)
			}
		})
	}
}

// TestScannerIgnoresFragmentation gives the scanner the same bytes in different pieces:
// what it accepts and what it refuses must not depend on how they arrive.
func TestScannerIgnoresFragmentation(t *testing.T) {
	o := Options{}.WithDefaults()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range conformance {
		stream := slices.Concat(c.frames...)
		var whole scanner
		good, bad := whole.scan(stream, &o)
		for range 20 {
			var s scanner
			at, found := 0, protocol.CloseCode(0)
			for at < len(stream) && found == 0 {
				piece := stream[at:min(len(stream), at+1+rng.IntN(7))]
				var n int
				n, found = s.scan(piece, &o)
				at += n
			}
			// At which byte of a close frame's code the mistake is found does not matter.
			if found != bad || bad == 0 && at != good {
				t.Fatalf("%s: in pieces %d bytes and code %d, at once %d and %d", c.name, at, found, good, bad)
			}
		}
	}
}

func TestFloodOfPingsIsClosed(t *testing.T) {
	s := serve(t, Options{ControlFrames: 10})
	p, _ := dial(t, s)
	for range 11 {
		p.write(frame(0x89, ""))
	}
	for i := range 11 {
		got, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if got == "close 4429" {
			if got := s.ending(t); got != by(4429) {
				t.Errorf("it ended as %+v", got)
			}
			return
		}
		if got != "pong " {
			t.Fatalf("frame %d is %q", i, got)
		}
	}
	t.Fatal("the flood was not stopped")
}

func TestBrokenSocket(t *testing.T) {
	s := serve(t, Options{})
	p, _ := dial(t, s)
	p.write(frame(0x01, "half"))
	_ = p.raw.SetLinger(0)
	_ = p.raw.Close()
	if got := s.ending(t); got != (Ending{By: ByNobody}) {
		t.Errorf("it ended as %+v", got)
	}
}

func TestOnlyTheFirstCloseCounts(t *testing.T) {
	s := serve(t, Options{})
	p, c := dial(t, s)
	c.Close(protocol.CloseGoingAway, "retry_after_ms=1000")
	c.Close(protocol.CloseRate, "")
	if c.Send(FrameText([]byte("late"))) {
		t.Error("a frame was accepted after the close")
	}
	p.expect("close 1001")
	p.write(closing(1001, ""))
	p.gone()
	if got := s.ending(t); got != by(1001) {
		t.Errorf("it ended as %+v", got)
	}
}
