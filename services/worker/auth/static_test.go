package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"belfry/pkg/protocol"
)

func TestStatic(t *testing.T) {
	s, err := LoadStatic(fileOf(t, []byte(`{"one": {"user": 7, "groups": ["*"]}, "two": {"user": "ann"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Authenticate(context.Background(), protocol.NewToken("one"), "")
	if err != nil || string(id.User) != "7" || id.Groups[0] != "*" || !id.Expires.IsZero() || id.Fingerprint == "" {
		t.Errorf("got %+v, %v", id, err)
	}
	for _, text := range []string{"", "on", "One", "one ", "three"} {
		if _, err := s.Authenticate(context.Background(), protocol.NewToken(text), ""); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v, want a refusal", text, err)
		}
	}
	for name, text := range map[string]string{
		"list": `[]`, "empty": `{}`, "no text": ``, "twice": `{"secret-one": {"user": 7}, "secret-one": {"user": 8}}`,
		"unknown key": `{"secret-one": {"user": 7, "group": []}}`, "star": `{"secret-one": {"user": "*"}}`,
		"no user": `{"secret-one": {}}`, "trailing": `{"secret-one": {"user": 7}} {}`, "cut": `{"secret-one": {"user": 7}`,
		"empty token": `{"": {"user": 7}}`, "value": `{"secret-one": 7}`,
		"doubled user": `{"secret-one": {"user": 9, "user": 12}}`, "doubled groups": `{"secret-one": {"user": 9, "groups": ["*"], "groups": []}}`,
		"groups of another form": `{"secret-one": {"user": 7, "groups": {"jobs": 1}}}`, "an item of another form": `{"secret-one": {"user": 7, "groups": [7]}}`,
		"a list of users": `{"secret-one": {"user": [7]}}`,
	} {
		_, err := LoadStatic(fileOf(t, []byte(text)))
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "secret-one") {
			t.Errorf("%s: the error shows a token: %v", name, err)
		}
	}
}
