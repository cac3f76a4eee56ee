package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"belfry/pkg/protocol"
)

func packOf(t testing.TB, events ...Packed) *Pack {
	t.Helper()
	p := &Pack{}
	for _, e := range events {
		if !p.Add(e) {
			t.Fatalf("no room for event %d", p.Events())
		}
	}
	return p
}

// TestPackGolden fixes the bytes of version 1.
func TestPackGolden(t *testing.T) {
	events := []Packed{
		{Group: "jobs-1", Payload: []byte("{}")},
		{Group: "a-b", Trace: "00-1", Payload: []byte(`"x"`)},
	}
	const want = "\x01" + "\x06jobs-1\x00\x02{}" + "\x03a-b\x0400-1\x03\"x\""
	p := packOf(t, events...)
	if got := string(p.Body()); got != want || p.Events() != 2 {
		t.Errorf("packed %q of %d events, want %q", got, p.Events(), want)
	}
	got, err := Unpack([]byte(want))
	if err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("unpacked %v, %v", got, err)
	}
}

// TestAFullPack takes no more, and is as it was.
func TestAFullPack(t *testing.T) {
	t.Run("of events", func(t *testing.T) {
		p := &Pack{}
		for p.Add(Packed{Group: protocol.Group(fmt.Sprintf("g-%d", p.Events())), Payload: []byte("1")}) {
		}
		got, err := Unpack(p.Body())
		if p.Events() != MaxPackEvents || err != nil || len(got) != MaxPackEvents || got[LastIndex].Group != "g-1023" {
			t.Errorf("%d events packed, %d unpacked, %v", p.Events(), len(got), err)
		}
	})
	t.Run("of bytes", func(t *testing.T) {
		p := packOf(t, Packed{Group: "g-1", Payload: bytes.Repeat([]byte("1"), MaxPackBytes-20)})
		before := bytes.Clone(p.Body())
		if p.Add(Packed{Group: "g-2", Payload: []byte("twenty bytes more")}) || !bytes.Equal(p.Body(), before) || p.Events() != 1 {
			t.Errorf("%d events, %d bytes", p.Events(), len(p.Body()))
		}
		if !p.Add(Packed{Group: "g-3", Payload: []byte("1")}) || len(p.Body()) > MaxPackBytes {
			t.Errorf("%d events, %d bytes", p.Events(), len(p.Body()))
		}
	})
	t.Run("by one event", func(t *testing.T) {
		p := &Pack{}
		if p.Add(Packed{Group: "g-1", Payload: make([]byte, MaxPackBytes)}) || p.Events() != 0 || len(p.Body()) != 0 {
			t.Errorf("it was taken: %d events, %d bytes", p.Events(), len(p.Body()))
		}
	})
}

func TestUnpackRefuses(t *testing.T) {
	good := packOf(t, Packed{Group: "jobs-1", Trace: "s3cret", Payload: []byte(`"s3cret"`)}).Body()
	for n := range good {
		if _, err := Unpack(good[:n]); !errors.Is(err, ErrPack) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	for name, body := range map[string]string{
		"one byte too many":  string(good) + "x",
		"another version":    "\x02" + string(good[1:]),
		"no event":           "\x01",
		"1,025 events":       "\x01" + strings.Repeat("\x00\x00\x00", 1025),
		"a 2^62 byte field":  "\x01\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x40w",
		"an endless varint":  "\x01" + strings.Repeat("\xff", 12),
		"more than 1 MiB":    "\x01\x00\x00\x80\x80\x40" + strings.Repeat("x", 1<<20),
		"JSON, and no bytes": `[{"group": "jobs-1"}]`,
	} {
		if _, err := Unpack([]byte(body)); !errors.Is(err, ErrPack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatAReaderTakes is more than what an emitter packs, up to 1 MiB.
func TestWhatAReaderTakes(t *testing.T) {
	const start = "\x01\x03g-1\x00"
	for size, ok := range map[int]bool{1<<20 - len(start) - 3: true, 1<<20 - len(start) - 2: false} {
		body := append(binary.AppendUvarint([]byte(start), uint64(size)), make([]byte, size)...)
		got, err := Unpack(body)
		if ok != (err == nil) || ok && len(got[0].Payload) != size {
			t.Errorf("a pack of %d bytes: %v", len(body), err)
		}
	}
}

// FuzzUnpack: what is read once is read the same again, within the bounds.
func FuzzUnpack(f *testing.F) {
	f.Add(packOf(f, Packed{Group: "jobs-1", Payload: []byte("{}")}).Body())
	f.Add(packOf(f, Packed{Group: "a-b", Trace: "t", Payload: []byte("1")}, Packed{}).Body())
	f.Add([]byte("\x01\x80\x00\x00\x00"))
	f.Add([]byte("\x01" + strings.Repeat("\x00\x00\x00", 1025)))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := Unpack(body)
		if err != nil {
			if events != nil || !errors.Is(err, ErrPack) {
				t.Fatalf("%d events and %v", len(events), err)
			}
			return
		}
		if len(events) == 0 || len(events) > MaxPackEvents {
			t.Fatalf("%d events", len(events))
		}
		p := &Pack{}
		for _, e := range events {
			if !p.Add(e) {
				return // a reader takes more than an emitter packs
			}
		}
		again, err := Unpack(p.Body())
		if err != nil || !reflect.DeepEqual(again, events) {
			t.Fatalf("read again: %v, %v", again, err)
		}
	})
}
