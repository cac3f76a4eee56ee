package blackbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

const notJSON = "the message is not valid JSON"

// badMessages are client messages and the exact error text of each.
var badMessages = []struct{ name, message, text string }{
	{"empty", ``, notJSON},
	{"null", `null`, "the message must be a JSON object"},
	{"a list", `[]`, "the message must be a JSON object"},
	{"a string", `"groups"`, "the message must be a JSON object"},
	{"trailing garbage", `{"groups": {}} x`, notJSON},
	{"two values", `{"groups": {}}{"groups": {}}`, notJSON},
	{"byte order mark", "\ufeff" + `{"groups": {}}`, notJSON},
	{"depth 10,000", `{"x": ` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `, "groups": {}}`, notJSON},
	{"NaN", `{"groups": {"jobs": [NaN]}}`, notJSON},
	{"groups missing", `{}`, `the message needs the key "groups"`},
	{"case-variant key", `{"Groups": {}}`, `the message needs the key "groups"`},
	{"doubled key", `{"groups": {}, "groups": {}}`, `the key "groups" is there twice`},
	{"doubled name", `{"groups": {"jobs": [], "jobs": []}}`, `the key "jobs" is there twice in "groups"`},
	{"groups null", `{"groups": null}`, `"groups" must be an object of lists`},
	{"groups a list", `{"groups": ["jobs"]}`, `"groups" must be an object of lists`},
	{"groups a string", `{"groups": "jobs"}`, `"groups" must be an object of lists`},
	{"groups a number", `{"groups": 1}`, `"groups" must be an object of lists`},
	{"groups nested", `{"groups": {"jobs": {"a": []}}}`, `the value of "jobs" must be a list`},
	{"a value that is no list", `{"groups": {"jobs": "summary"}}`, `the value of "jobs" must be a list`},
	{"a float", `{"groups": {"jobs": [1.5]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"a float that is whole", `{"groups": {"jobs": [1.0]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"1e999", `{"groups": {"jobs": [1e999]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"a bool", `{"groups": {"jobs": [true]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"a null item", `{"groups": {"jobs": [null]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"a list in a list", `{"groups": {"jobs": [["a"]]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"a lone surrogate", `{"groups": {"jobs": ["\ud800"]}}`, "the message has a lone surrogate"},
	{"an empty name", `{"groups": {"": ["a"]}}`, `the group name "" is not allowed: a group needs a name and an item, neither of them empty`},
	{"an empty item", `{"groups": {"jobs": [""]}}`, `the item "" of "jobs" is not allowed: a group needs a name and an item, neither of them empty`},
	{"a dash in a name", `{"groups": {"a-b": ["c"]}}`, `the group name "a-b" is not allowed: a group name must not contain a dash`},
	{"a newline", `{"groups": {"jobs": ["a\nb"]}}`, `the item "a\nb" of "jobs" is not allowed: a group must not contain control characters`},
	{"an ANSI escape", `{"groups": {"jobs": ["\u001b[31m"]}}`, `the item "\x1b[31m" of "jobs" is not allowed: a group must not contain control characters`},
	{"valid, then not", `{"groups": {"jobs": ["fresh", 1.5]}}`, `an item of "jobs" is neither a string nor an integer`},
	{"10,001 groups", `{"groups": {"jobs": [` + numbers(10001) + `]}}`, "more than 1000 groups"},
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, i)
	}
	return b.String()
}

// invalid sends each bad message on a connection of its own (too many on one
// would close it) and proves that the set is as it was. A healthy connection
// beside them notices nothing.
func invalid(t *testing.T, in *harness.Installation) {
	healthy := open(t, in, 0, harness.TokenAdmin)
	beside := group()
	healthy.join(beside)
	for _, bad := range badMessages {
		t.Run(bad.name, func(t *testing.T) {
			c := open(t, in, 0, harness.TokenAdmin)
			g := group()
			c.join(g)
			text, _ := json.Marshal(bad.text)
			c.ask(bad.message, `{"error": `+strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))+`}`)
			in.Emit(t, "jobs-fresh", event())
			e := event()
			in.Emit(t, g, e)
			c.expect(e)
			c.ask(message(g), reply([]string{g}, nil, nil))
			healthy.t = t
			in.Emit(t, beside, e)
			healthy.expect(e)
		})
	}
	healthy.t = t
	healthy.quiet()
}
