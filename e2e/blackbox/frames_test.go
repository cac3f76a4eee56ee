package blackbox

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

func frame(opcode byte, payload string) wsclient.Frame {
	return wsclient.Frame{Fin: true, Opcode: opcode, Masked: true, Payload: []byte(payload)}
}

func with(f wsclient.Frame, change func(*wsclient.Frame)) []byte {
	change(&f)
	return f.Bytes()
}

func closeFrame(code uint16, reason string) []byte {
	payload := append(binary.BigEndian.AppendUint16(nil, code), reason...)
	return frame(wsclient.OpClose, string(payload)).Bytes()
}

// badOnes are bytes that no client may send, and the close code of each.
var badOnes = []struct {
	name  string
	bytes []byte
	code  int
}{
	{"unmasked", with(frame(wsclient.OpText, `{"groups": {}}`), func(f *wsclient.Frame) { f.Masked = false }), 1002},
	{"reserved bit 1, as a compressed frame", with(frame(wsclient.OpText, `{}`), func(f *wsclient.Frame) { f.RSV = 4 }), 1002},
	{"reserved bit 2", with(frame(wsclient.OpText, `{}`), func(f *wsclient.Frame) { f.RSV = 2 }), 1002},
	{"reserved bit 3", with(frame(wsclient.OpPing, ``), func(f *wsclient.Frame) { f.RSV = 1 }), 1002},
	{"reserved opcode 3", frame(3, ``).Bytes(), 1002},
	{"reserved opcode 11", frame(0xB, ``).Bytes(), 1002},
	{"fragmented ping", with(frame(wsclient.OpPing, `x`), func(f *wsclient.Frame) { f.Fin = false }), 1002},
	{"ping of 126 bytes", frame(wsclient.OpPing, string(make([]byte, 126))).Bytes(), 1002},
	{"continuation of nothing", frame(wsclient.OpContinuation, `x`).Bytes(), 1002},
	{"a new message inside another", append(with(frame(wsclient.OpText, `{`), func(f *wsclient.Frame) { f.Fin = false }), frame(wsclient.OpText, `}`).Bytes()...), 1002},
	{"length with the top bit", []byte{0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, 1002},
	{"binary", frame(wsclient.OpBinary, `{"groups": {}}`).Bytes(), 1003},
	{"invalid UTF-8", frame(wsclient.OpText, "{\"groups\": {\"\xff\": []}}").Bytes(), 1007},
	{"invalid UTF-8 in a close's reason", closeFrame(1000, "\xff"), 1007},
	{"fragmented close", with(frame(wsclient.OpClose, "\x03\xe8"), func(f *wsclient.Frame) { f.Fin = false }), 1002},
	{"close of 126 bytes", closeFrame(1000, strings.Repeat("x", 124)), 1002},
	{"one byte in a close", frame(wsclient.OpClose, "\x03").Bytes(), 1002},
	{"close code 0", closeFrame(0, ""), 1002},
	{"close code 999", closeFrame(999, ""), 1002},
	{"close code 1005", closeFrame(1005, ""), 1002},
	{"close code 1006", closeFrame(1006, ""), 1002},
	{"close code 1015", closeFrame(1015, ""), 1002},
	{"close code 2999", closeFrame(2999, ""), 1002},
}

// badFrames sends each on a connection of its own, with a healthy one beside.
func badFrames(t *testing.T, in *harness.Installation) {
	healthy := open(t, in, 0, harness.TokenAdmin)
	g := group()
	healthy.join(g)
	for _, bad := range badOnes {
		t.Run(bad.name, func(t *testing.T) {
			c := open(t, in, 0, harness.TokenAdmin)
			if err := c.conn.SendBytes(bad.bytes); err != nil {
				t.Fatal(err)
			}
			c.expectClose(bad.code)
			healthy.t = t
			e := event()
			in.Emit(t, g, e)
			healthy.expect(e)
		})
	}
}

// goodFrames are unusual and allowed.
func goodFrames(t *testing.T, in *harness.Installation) {
	t.Run("a message in pieces, with a ping between", func(t *testing.T) {
		c := open(t, in, 0, harness.TokenAdmin)
		var b bytes.Buffer
		text := message("jobs-summary")
		b.Write(with(frame(wsclient.OpText, text[:5]), func(f *wsclient.Frame) { f.Fin = false }))
		b.Write(frame(wsclient.OpPing, "mid").Bytes())
		b.Write(with(frame(wsclient.OpContinuation, text[5:9]), func(f *wsclient.Frame) { f.Fin = false }))
		b.Write(frame(wsclient.OpContinuation, text[9:]).Bytes())
		if err := c.conn.SendBytes(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		c.expect(reply([]string{"jobs-summary"}, nil, []string{"jobs-summary"}))
	})
	t.Run("one byte at a time", func(t *testing.T) {
		c := open(t, in, 0, harness.TokenAdmin)
		for _, b := range frame(wsclient.OpText, message("jobs-summary")).Bytes() {
			if err := c.conn.SendBytes([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		c.expect(reply([]string{"jobs-summary"}, nil, []string{"jobs-summary"}))
	})
	t.Run("an unasked pong", func(t *testing.T) {
		c := open(t, in, 0, harness.TokenAdmin)
		if err := c.conn.Send(frame(wsclient.OpPong, "unasked")); err != nil {
			t.Fatal(err)
		}
		c.ask(`{"groups": {}}`, reply(nil, nil, nil))
	})
	for _, code := range []uint16{1000, 1001, 3000, 4999} {
		t.Run("close is answered", func(t *testing.T) {
			c := open(t, in, 0, harness.TokenAdmin)
			if err := c.conn.SendBytes(closeFrame(code, "bye")); err != nil {
				t.Fatal(err)
			}
			c.expectClose(int(code))
		})
	}
}
