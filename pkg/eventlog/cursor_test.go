package eventlog_test

import (
	"testing"

	"belfry/pkg/eventlog"
)

func TestCursorsOfClients(t *testing.T) {
	c := eventlog.ClientCursor{Shards: 4, Log: 4, Index: 7, Cursor: eventlog.Cursor{Offset: 1 << 40, FP: eventlog.Fingerprint{0xde, 0xad, 0, 1}}}
	const text = "2.4.4.1099511627776.7.dead0001"
	if c.String() != text {
		t.Errorf("it is written %s, want %s", c, text)
	}
	if got, err := eventlog.ParseCursor(text); err != nil || got != c {
		t.Errorf("%s is read as %+v, %v", text, got, err)
	}
	for _, bad := range []string{
		"", "2", "1.4.4.1.7.dead0001", "2.4.4.1.7", "2.4.4.1.7.dead0001.", "2.4.5.1.7.dead0001", "2.0.0.1.7.dead0001", "2.4.-1.1.7.dead0001",
		"2.4.4.-1.7.dead0001", "2.4.4.1.1024.dead0001", "2.4.4.1.-1.dead0001", "2.4.4.1.7.DEAD0001", "2.4.4.1.7.dead001", "2.4.4.01.7.dead0001",
		"2.4.4.+1.7.dead0001", "2.4.4.9223372036854775808.7.dead0001", " 2.4.4.1.7.dead0001", "2.4.4.1.7.dead000g",
	} {
		if c, err := eventlog.ParseCursor(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, c)
		}
	}
}

// A fingerprint is of the offset, the key, and the id or, without one, the body.
func TestFingerprints(t *testing.T) {
	of := eventlog.Key("k").Fingerprint(1, "id", []byte("body"))
	for name, x := range map[string]struct {
		fp   eventlog.Fingerprint
		same bool
	}{
		"another body":   {eventlog.Key("k").Fingerprint(1, "id", []byte("other")), true},
		"another id":     {eventlog.Key("k").Fingerprint(1, "id2", []byte("body")), false},
		"another offset": {eventlog.Key("k").Fingerprint(2, "id", []byte("body")), false},
		"another key":    {eventlog.Key("l").Fingerprint(1, "id", []byte("body")), false},
		"no id":          {eventlog.Key("k").Fingerprint(1, "", []byte("body")), false},
	} {
		if (x.fp == of) != x.same {
			t.Errorf("%s: the same fingerprint %v, want %v", name, x.fp == of, x.same)
		}
	}
	if eventlog.Key(nil).Fingerprint(1, "", []byte("a")) == eventlog.Key(nil).Fingerprint(1, "", []byte("b")) {
		t.Error("two bodies without an id have one fingerprint")
	}
}

// What is read is written the same: a cursor has one spelling.
func FuzzParseCursor(f *testing.F) {
	f.Add("2.4.4.1099511627776.7.dead0001")
	f.Add("2.1.0.0.1023.00000000")
	f.Add("2.4.4.01.7.dead0001")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := eventlog.ParseCursor(text); err == nil && c.String() != text {
			t.Errorf("%q is read and written %q", text, c)
		}
	})
}
