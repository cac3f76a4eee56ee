package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestTokenIsNotPrinted(t *testing.T) {
	const secret = "s3cr3t-token"
	token := NewToken(secret)
	type hidden struct{ token Token }
	values := []any{token, &token, []Token{token}, map[string]Token{"x": token}, hidden{token}, &hidden{token}, Connect{Token: token}}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T", "%t", "%c", "%e"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, secret) || strings.Contains(out, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T prints the token: %s", verb, v, out)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(encoded)+log.String(), secret) {
			t.Errorf("%T as JSON has the token: %s %s", v, encoded, log.String())
		}
	}
}

func TestToken(t *testing.T) {
	a, b := NewToken("a"), NewToken("b")
	if a.Reveal() != "a" || a.Empty() || a.Fingerprint() == b.Fingerprint() || a.Fingerprint() != NewToken("a").Fingerprint() {
		t.Error("a token does not keep its text or its fingerprint")
	}
	if len(a.Fingerprint()) != 32 {
		t.Errorf("fingerprint %q", a.Fingerprint())
	}
	var zero Token
	if !zero.Empty() || zero.Reveal() != "" || !NewToken("").Empty() || zero.Fingerprint() != NewToken("").Fingerprint() {
		t.Error("the zero token is not the empty one")
	}
}
