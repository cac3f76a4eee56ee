package protocol

import (
	"encoding/json"
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
	if v, err := Decode[Noted]([]byte(`{"batch": -1}`)); err == nil || v.Batch != 0 {
		t.Errorf("a negative batch gave %+v and %v", v, err)
	}
}

// same encodes and decodes a message, and compares its JSON with the golden text.
func same[T Subscribe | Decision | Life | Noted | LifeReport | Presence](t *testing.T, v T, want string) {
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
	same(t, Subscribe{"g.1", 1, 2, json.RawMessage(`{"u":7}`), []Group{"a-1"}},
		`{"gateway":"g.1","conn":1,"question":2,"session":{"u":7},"groups":["a-1"]}`)
	same(t, Decision{Conn: 1, Question: 2, Verdict: VerdictAccept, User: json.RawMessage("7"), Expires: 9},
		`{"conn":1,"question":2,"verdict":"accept","user":7,"expires":9}`)
	same(t, Life{"g.1", 4, []LifeReport{{ID: "i", Kind: LifeClosed, Gateway: "g.1", Conn: 1, User: json.RawMessage("7"), At: 8, Code: 1001, Reason: "going_away", Duration: 5}}},
		`{"gateway":"g.1","batch":4,"reports":[{"id":"i","kind":"closed","gateway":"g.1","conn":1,"user":7,"at":8,"code":1001,"reason":"going_away","duration":5}]}`)
	same(t, Noted{4}, `{"batch":4}`)
	same(t, Presence{"w.1", true, []string{"g"}, []string{"x"}}, `{"worker":"w.1","bye":true,"gateways":["g"],"strangers":["x"]}`)
}
