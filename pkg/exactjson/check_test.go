package exactjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want string // a part of the error; empty: good
	}{
		"object":                         {`{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}`, ""},
		"not an object":                  {`7`, ""},
		"empty":                          {``, "line 1"},
		"doubled":                        {`{"user":9,"user":12}`, `"user" is there twice`},
		"doubled with the same value":    {`{"user":9,"user":9}`, `"user" is there twice`},
		"doubled, one escaped":           {`{"user":9,"us\u0065r":12}`, `"user" is there twice`},
		"doubled inside":                 {`{"a":[{"b":{"c":1,"c":2}}]}`, `"c" is there twice`},
		"doubled behind an inner object": {`{"a":{"b":1},"a":2}`, `"a" is there twice`},
		"doubled behind a list":          {`{"a":[1,[2]],"b":0,"a":2}`, `"a" is there twice`},
		"doubled empty names":            {`{"":1,"":2}`, `"" is there twice`},
		"another case":                   {`{"a":1,"A":2}`, ""},
		"two values":                     {`{} {}`, "not JSON"},
		"cut":                            {`{"a":1`, "not JSON"},
		"trailing comma":                 {`{"a":1,}`, "not JSON"},
		"a BOM":                          {"\ufeff{}", "not JSON"},
		"not UTF-8":                      {"{\"a\":\"\xff\"}", "UTF-8"},
		"where":                          {"{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 3:"},
		"where the syntax ends":          {"{\n  \"a\": x\n}", "line 2, column 8:"},
		"a long key":                     {`{"` + strings.Repeat("k", 500) + `":1,"` + strings.Repeat("k", 500) + `":1}`, "kkk..."},
		"deep":                           {strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000), ""},
	} {
		err := Check([]byte(row.text))
		var wrong *Error
		switch {
		case row.want == "" && err != nil, row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		case err != nil && !errors.As(err, &wrong):
			t.Errorf("%s: the error is a %T", name, err)
		case err != nil && len(err.Error()) > 200:
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestFoldedAndTop(t *testing.T) {
	if err := CheckFolded([]byte(`{"groups":1,"Groups":2}`)); err == nil {
		t.Error("a struct takes one of groups and Groups")
	}
	if err := CheckTop([]byte(`{"keys":[{"a":1,"a":2}]}`)); err != nil {
		t.Errorf("only the outermost object is looked at: %v", err)
	}
	if err := CheckTop([]byte(`{"keys":[{"a":1}],"keys":[]}`)); err == nil {
		t.Error("a doubled member of the outermost object was passed over")
	}
}

func TestObject(t *testing.T) {
	o, err := Object([]byte(`{"sub":9007199254740993}`))
	if err != nil || o["sub"] != json.Number("9007199254740993") {
		t.Errorf("got %v, %v", o, err)
	}
	for _, text := range []string{`7`, `null`, `[]`, `"a"`} {
		if _, err := Object([]byte(text)); !errors.Is(err, ErrNoObject) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// FuzzCheck: what is good has no member twice, however the standard library
// reads it.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `[{"a":{}},[]]`, `{"a":"\ud800"}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if Check(text) != nil {
			return
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatalf("good, but %v", err)
		}
	})
}
