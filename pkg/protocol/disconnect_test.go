package protocol

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeDisconnect(t *testing.T) {
	for body, want := range map[string]Disconnect{
		`{"user": 7}`:                     {User: "7"},
		`{"user": "7"}`:                   {User: "7"},
		`{"session": "s", "user": "ann"}`: {User: "ann", SID: "s"},

		`{"user": "` + strings.Repeat("u", 255) + `"}`: {User: strings.Repeat("u", 255)},
		`{"user": "` + strings.Repeat("ü", 255) + `"}`: {User: strings.Repeat("ü", 255)},
	} {
		if got, err := DecodeDisconnect([]byte(body)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
	for body, want := range map[string]error{
		``:                 nil,
		`null`:             nil,
		`[]`:               nil,
		`{}`:               ErrUserLength,
		`{"session": "s"}`: ErrUserLength,
		`{"user": ""}`:     ErrUserLength,
		`{"user": "` + strings.Repeat("u", 256) + `"}`:               ErrUserLength,
		`{"user": 9, "user": 12}`:                                    nil,
		`{"user": 9, "us\u0065r": 12}`:                               nil,
		`{"user": 7, "session": "a", "session": "b"}`:                nil,
		`{"user": null}`:                                             ErrUserKind,
		`{"user": 7.5}`:                                              ErrUserKind,
		`{"user": "*"}`:                                              ErrUserStar,
		`{"user": 7, "session": ""}`:                                 ErrSIDLength,
		`{"user": 7, "session": null}`:                               ErrSIDLength,
		`{"user": 7, "session": 7}`:                                  nil,
		`{"user": 7, "session": "\n"}`:                               ErrSIDControl,
		`{"user": 7, "sesion": "s"}`:                                 nil,
		`{"user": 7} trailing`:                                       nil,
		`{"user": 7, "session": "` + strings.Repeat("s", 256) + `"}`: ErrSIDLength,
	} {
		got, err := DecodeDisconnect([]byte(body))
		if err == nil || want != nil && !errors.Is(err, want) || got != (Disconnect{}) {
			t.Errorf("%s: got %+v, %v, want %v", body, got, err, want)
		}
		if err != nil && len(body) > 20 && strings.Contains(err.Error(), body) {
			t.Errorf("the error quotes the body: %v", err)
		}
	}
}

func TestDisconnectConcerns(t *testing.T) {
	phone := Principal{User: "7", SID: "phone"}
	for order, want := range map[Disconnect]bool{
		{User: "7"}:                true,
		{User: "7", SID: "phone"}:  true,
		{User: "7", SID: "laptop"}: false,
		{User: "8"}:                false,
		{User: "8", SID: "phone"}:  false,
	} {
		if order.Concerns(phone) != want {
			t.Errorf("%+v concerns %+v: want %t", order, phone, want)
		}
	}
	if (Disconnect{User: "7", SID: "phone"}).Concerns(Principal{User: "7"}) {
		t.Error("a token without a session is in none")
	}
}
