package protocol

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestConnectRoundTrip(t *testing.T) {
	c := Connect{Gateway: "g.1", Conn: 7, Question: 9, Token: NewToken(`a "token"`), Remote: "192.0.2.1"}
	got, err := DecodeConnect(c.Encode())
	if err != nil || got.Gateway != c.Gateway || got.Conn != c.Conn || got.Question != c.Question ||
		got.Remote != c.Remote || got.Token.Reveal() != c.Token.Reveal() {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestDecodeConnectErrorsHideTheBody(t *testing.T) {
	for _, body := range []string{
		"", "null", "{}", `{"gateway": "g", "token": "s3cr3t"}`, `{"question": 1, "token": "s3cr3t"}`,
		`{"gateway": "g", "question": "s3cr3t"}`, `{"token": s3cr3t}`, `{"gateway": "g", "question": -1, "token": "s3cr3t"}`,
	} {
		_, err := DecodeConnect([]byte(body))
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v", body, err)
		}
	}
}

func TestDecodeErrorsHideTheBody(t *testing.T) {
	_, err := Decode[Subscribe]([]byte(`{"gateway": s3cr3t}`))
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "Subscribe") {
		t.Errorf("error %v, want one that names the message and not the body", err)
	}
	if v, err := Decode[Interest]([]byte(`{"gateway": "g", "revision": -1}`)); err == nil || v.Gateway != "" {
		t.Errorf("a negative revision gave %+v and %v", v, err)
	}
}

// same encodes and decodes a message, and compares its JSON with the golden text.
func same[T Subscribe | Decision | Life | Noted | LifeReport | Interest | Heartbeat | Bye | Mark | Lost | Snapshot | Stale | Ask | Pulse | Presence | Gap](t *testing.T, v T, want string) {
	t.Helper()
	body := Encode(v)
	if string(body) != want {
		t.Errorf("%T\n got %s\nwant %s", v, body, want)
	}
	if back, err := Decode[T](body); err != nil || !reflect.DeepEqual(back, v) {
		t.Errorf("%T came back as %+v, %v", v, back, err)
	}
}

// TestMessages fixes the wire format of every JSON message, because processes of two
// versions exchange them during an upgrade.
func TestMessages(t *testing.T) {
	stamp := Stamp{Gateway: "g.1", Link: 2, Revision: 3}
	reign := Reign{Shard: 1, Epoch: 5, Worker: "w.1"}
	const stampJSON, reignJSON = `"gateway":"g.1","link":2,"revision":3`, `"shard":1,"epoch":5,"worker":"w.1"`
	same(t, Subscribe{"g.1", 1, 2, json.RawMessage(`{"u":7}`), []Group{"a-1"}},
		`{"gateway":"g.1","conn":1,"question":2,"session":{"u":7},"groups":["a-1"]}`)
	same(t, Decision{Conn: 1, Question: 2, Verdict: VerdictAccept, User: json.RawMessage("7"), Expires: 9},
		`{"conn":1,"question":2,"verdict":"accept","user":7,"expires":9}`)
	same(t, Life{"g.1", 4, []LifeReport{{ID: "i", Kind: LifeClosed, Gateway: "g.1", Conn: 1, User: json.RawMessage("7"), At: 8, Code: 1001, Reason: "going_away", Duration: 5}}},
		`{"gateway":"g.1","batch":4,"reports":[{"id":"i","kind":"closed","gateway":"g.1","conn":1,"user":7,"at":8,"code":1001,"reason":"going_away","duration":5}]}`)
	same(t, Noted{4}, `{"batch":4}`)
	same(t, Interest{stamp, []Group{"a-1"}, []Group{"b-1"}}, `{`+stampJSON+`,"join":["a-1"],"leave":["b-1"]}`)
	same(t, Heartbeat{stamp, 1, 1<<64 - 1}, `{`+stampJSON+`,"count":1,"digest":18446744073709551615}`)
	same(t, Bye{stamp}, `{`+stampJSON+`}`)
	same(t, Mark{"w.1", 5}, `{"worker":"w.1","epoch":5}`)
	same(t, Lost{"w.1", 5, "g.1"}, `{"worker":"w.1","epoch":5,"gateway":"g.1"}`)
	same(t, Ask{reign}, `{`+reignJSON+`}`)
	same(t, Pulse{Reign: reign, Direct: 1, Flood: 2, Flooding: true, All: true}, `{`+reignJSON+`,"direct":1,"flood":2,"flooding":true,"all":true}`)
	same(t, Presence{"w.1", []Reign{reign}, true, []string{"g"}, []string{"x"}}, `{"worker":"w.1","shards":[{`+reignJSON+`}],"bye":true,"gateways":["g"],"strangers":["x"]}`)
	same(t, Gap{1, []Group{"a-1"}}, `{"shard":1,"groups":["a-1"]}`)
	same(t, Snapshot{stamp, reign, 0, 1, []Group{}}, `{`+stampJSON+`,"reign":{`+reignJSON+`},"part":0,"parts":1,"groups":[]}`)
	same(t, Stale{"g.1", reign, reign}, `{"gateway":"g.1","refused":{`+reignJSON+`},"highest":{`+reignJSON+`}}`)
}

func TestReignBefore(t *testing.T) {
	rising := []Reign{{Epoch: 1, Worker: "a"}, {Epoch: 1, Worker: "b"}, {Epoch: 2, Worker: "a"}}
	for i, a := range rising {
		for j, b := range rising {
			if a.Before(b) != (i < j) {
				t.Errorf("%+v before %+v is %v", a, b, a.Before(b))
			}
		}
	}
}

func testBatch() Batch {
	return Batch{
		Reign: Reign{Shard: 255, Epoch: 1 << 60, Worker: "w.1"}, Mode: ModeFlood, Sequence: 1<<64 - 1,
		Events: []Event{
			{Group: "jobs-é", ID: "an id", Trace: "00-x", Payload: []byte("\x00\xff")},
			{Group: "a-b", Payload: []byte{}},
		},
	}
}

func TestBatchRoundTrip(t *testing.T) {
	for _, b := range []Batch{testBatch(), {Mode: ModeDirect, Events: []Event{}}} {
		got, err := DecodeBatch(b.Encode())
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("got %+v, %v, want %+v", got, err, b)
		}
	}
}

// TestBatchGolden fixes the bytes of version 1.
func TestBatchGolden(t *testing.T) {
	b := Batch{
		Reign: Reign{Shard: 3, Epoch: 300, Worker: "w"}, Mode: ModeDirect, Sequence: 2,
		Events: []Event{{Group: "a-b", ID: "i", Payload: []byte("{}")}},
	}
	const want = "\x01\x01" + "\x03" + "\xac\x02" + "\x01w" + "\x02" + "\x01" + "\x03a-b" + "\x01i" + "\x00" + "\x02{}"
	if got := string(b.Encode()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDecodeBatchRefuses(t *testing.T) {
	good := testBatch().Encode()
	for n := range good {
		if _, err := DecodeBatch(good[:n]); !errors.Is(err, ErrBatch) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	for name, body := range map[string]string{
		"one byte too many":     string(good) + "x",
		"another version":       "\x02" + string(good[1:]),
		"mode 0":                "\x01\x00" + string(good[2:]),
		"mode 3":                "\x01\x03" + string(good[2:]),
		"shard 256":             "\x01\x01\x80\x02\x00\x00\x00\x00",
		"a varint without end":  "\x01\x01" + strings.Repeat("\x80", 20),
		"2^62 events announced": "\x01\x01\x00\x00\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x40",
		"a 2^62 byte worker":    "\x01\x01\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x40w",
	} {
		if _, err := DecodeBatch([]byte(body)); !errors.Is(err, ErrBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBatchEncodeAllocatesOnce: encoding is on the hot path, so the size is computed first.
func TestBatchEncodeAllocatesOnce(t *testing.T) {
	b := testBatch()
	if n := testing.AllocsPerRun(100, func() { b.Encode() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
