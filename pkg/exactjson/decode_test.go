package exactjson

import (
	"encoding/json"
	"strings"
	"testing"
)

type rules struct {
	Comment json.RawMessage `json:"comment"`
	Rules   []struct {
		Groups []string `json:"groups"`
		Allow  []string `json:"allow"`
	} `json:"rules"`
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"{\n  \"rules\": [\n    {\"groups\": [\"a-b\"], \"alow\": []}\n  ]\n}": `line 3, column 25: there is no key "alow" here: did you mean "allow"?`,
		"{\"ruls\": []}":                            `line 1, column 2: there is no key "ruls" here: did you mean "rules"?`,
		"{\"rules\": [{\n\"groups\": \"a-b\"}]}":    `line 2, column`,
		"{\"comment\": {\"alow\": 1}, \"rules\":1}": `must be a list`,
		"{\"comment\": {\"alow\": [1, {\"x\": 2}]}, \"RULES\": [{\"groups\": [\"a\"], \"allow\": []}]}": "",
		"{\n\"rules\": [,]}":     "line 2, column 11: it is not JSON",
		"\ufeff{}":               "line 1, column 1: it begins with a byte order mark (BOM)",
		"{\"a\\\"b\": 1}":        `there is no key "a\"b" here`,
		"{\"rules\": [{}]} more": "it is not JSON",
	} {
		var v rules
		err := Decode([]byte(text), &v)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestPlace(t *testing.T) {
	const text = "{\"comment\": {\"rules\": 1},\n \"rules\": [\n  {\"groups\": [\"a\"]},\n  {\"groups\": [\"b\",\n\"c\"]}]}"
	for want, path := range map[string][]any{
		"line 4, column 3: x": {"rules", 1},
		"line 5, column 1: x": {"rules", 1, "groups", 1},
		"line 1, column 1: x": {},
	} {
		if got := Place([]byte(text), "x", path...).Error(); got != want {
			t.Errorf("%v is at %s, want %s", path, got, want)
		}
	}
}
