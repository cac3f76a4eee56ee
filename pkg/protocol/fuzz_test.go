package protocol

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeClientMessage(f *testing.F) {
	cases, limits := clientCases(f)
	for _, c := range cases {
		if input := join(c.Input); len(input) < 4096 {
			f.Add([]byte(input))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		groups, err := DecodeClientMessage(frame, limits)
		if err != nil {
			ce, ok := errors.AsType[*ClientError](err)
			if !ok || ce.Text == "" || groups != nil {
				t.Fatalf("groups %q beside error %v", groups, err)
			}
			if len(ce.Text) > 1000 || !json.Valid(ErrorFrame(ce.Text)) {
				t.Fatalf("error text %q", ce.Text)
			}
			return
		}
		seen := map[Group]bool{}
		for _, g := range groups {
			if _, err := ParseGroup(string(g)); err != nil || seen[g] {
				t.Fatalf("group %q: doubled %v, %v", g, seen[g], err)
			}
			seen[g] = true
		}
		// What is understood is plain JSON with an object "groups", also for others.
		var other struct {
			Groups map[string][]any `json:"groups"`
		}
		if !utf8.Valid(frame) || len(groups) > limits.MaxGroups || !json.Valid(frame) {
			t.Fatal("a frame was accepted that is out of bounds")
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal(frame, &top); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if err := json.Unmarshal(top["groups"], &other.Groups); err != nil {
			// Only numbers beyond float64 part the two decoders.
			if _, isType := errors.AsType[*json.UnmarshalTypeError](err); !isType {
				t.Fatalf("encoding/json: %v", err)
			}
		}
	})
}

func FuzzDecodePack(f *testing.F) {
	f.Add(EncodePack([]Packed{{TypeConnect, []byte(`{"token": "a"}`)}, {TypeSubscribe, nil}}))
	f.Add([]byte("\x01\x40"))
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := DecodePack(body)
		if err != nil {
			return
		}
		again, err := DecodePack(EncodePack(messages))
		if err != nil || !reflect.DeepEqual(again, messages) {
			t.Fatalf("%q came back as %q, %v", messages, again, err)
		}
		if n := len(messages); n < 1 || n > MaxPacked {
			t.Fatalf("%d messages", n)
		}
	})
}

func FuzzParseGroup(f *testing.F) {
	for _, s := range []string{"jobs-1", "a-b-c", "-", "", "jobs", "é-\u202e", "a-\xff", "control-limit_reached_7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGroup(s)
		if err != nil {
			if g != "" {
				t.Fatalf("group %q beside error %v", g, err)
			}
			return
		}
		same, err := MakeGroup(g.Name(), g.Item())
		if string(g) != s || err != nil || same != g || len(g) > MaxGroupBytes+1 || !utf8.ValidString(s) {
			t.Fatalf("%q parsed as %q, %q of %v", s, g, same, err)
		}
	})
}
