package protocol

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestPackGolden fixes the bytes of version 1.
func TestPackGolden(t *testing.T) {
	messages := []Packed{{TypeConnect, []byte("{}")}, {TypeSubscribe, []byte{}}}
	const want = "\x01\x02" + "\x07connect\x02{}" + "\x09subscribe\x00"
	if got := string(EncodePack(messages)); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got, err := DecodePack([]byte(want)); err != nil || !reflect.DeepEqual(got, messages) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestDecodePackRefuses(t *testing.T) {
	good := EncodePack([]Packed{{TypeConnect, []byte(`{"token": "s3cret"}`)}, {TypeDecision, []byte("{}")}})
	for n := range good {
		if _, err := DecodePack(good[:n]); !errors.Is(err, ErrPack) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	for name, body := range map[string]string{
		"one byte too many": string(good) + "x",
		"another version":   "\x02" + string(good[1:]),
		"no message":        "\x01\x00",
		"65 messages":       "\x01\x41" + strings.Repeat("\x00\x00", 65),
		"a pack in a pack":  "\x01\x01\x04pack\x00",
		"a 2^62 byte body":  "\x01\x01\x00\x80\x80\x80\x80\x80\x80\x80\x80\x40w",
	} {
		if _, err := DecodePack([]byte(body)); !errors.Is(err, ErrPack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
