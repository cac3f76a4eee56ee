package access

import (
	"strings"
	"testing"
)

// TestMistakesNameTheLine: the error names the line of the file to correct.
func TestMistakesNameTheLine(t *testing.T) {
	const good = `{"groups": ["jobs-*"], "allow": ["all"]}`
	for text, want := range map[string]string{
		"{\n \"rules\": [\n  " + good + ",\n  {\"groups\": [\"jobs-*\"], \"alow\": [\"all\"]}]}":                     `line 4, column 26: there is no key "alow" here: did you mean "allow"?`,
		"{\n \"rules\": [\n  " + good + ",\n  {\"groups\": [\"jobs-*\"], \"allow\": [\n\"all\", \"clam\"]}]}":        `line 5, column 8: rule 2: allow "clam" is not one of all, claim, application: did you mean "claim"?`,
		"{\n \"rules\": [\n  " + good + ",\n  {\"groups\": [\"jobs-*\",\n  \"jobs-{usr}\"], \"allow\": [\"all\"]}]}": `line 5, column 3: rule 2: template "jobs-{usr}"`,
		"{\n \"rules\": [\n  {\"groups\": [\"jobs-*\"]}]}":                                                           `line 3, column 3: rule 1: it needs`,
		"{\n \"rules\": [\n  " + good + ",\n  ]}":                                                                    `line 4, column 3: it is not JSON`,
		"{\n \"rule\": [" + good + "]}":                                                                              `line 2, column 2: there is no key "rule" here: did you mean "rules"?`,
		"{\n \"rules\": [{\"groups\": \"jobs-*\", \"allow\": [\"all\"]}]}":                                           `line 2, `,
		"\ufeff{\"rules\": [" + good + "]}":                                                                          `byte order mark`,
	} {
		_, err := ParsePolicy([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
