package protocol

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"accept, number", string(AcceptFrame(json.RawMessage("7"))), `{"accept": true, "user": 7}`},
		{"accept, large number", string(AcceptFrame(json.RawMessage("9007199254740993"))), `{"accept": true, "user": 9007199254740993}`},
		{"accept, text", string(AcceptFrame(json.RawMessage(`"ann"`))), `{"accept": true, "user": "ann"}`},
		{"refused", string(RefusedFrame()), `{"accept": false, "user": null}`},
		{
			"groups, sorted", string(GroupsFrame([]Group{"b-2", "b-1"}, []Group{"z-1", "a-1"}, []Group{"b-2"})),
			`{"groups_current": ["b-1", "b-2"], "groups_left": ["a-1", "z-1"], "groups_joined": ["b-2"]}`,
		},
		{"groups, none", string(GroupsFrame(nil, nil, nil)), `{"groups_current": [], "groups_left": [], "groups_joined": []}`},
		{"denied", string(DeniedFrame("job_events-43")), `{"error": "access denied to channel job_events for resource id 43"}`},
		{"denied, dashes", string(DeniedFrame("a-b-c")), `{"error": "access denied to channel a for resource id b-c"}`},
		{"unavailable", string(ErrorFrame(Unavailable)), `{"error": "subscriptions are unavailable, try again"}`},
		{"error, quoted", string(ErrorFrame("a \"b\" <c>\n")), `{"error": "a \"b\" <c>\n"}`},
		{"gap, sorted", string(GapFrame([]Group{"b-1", `a-"<`})), `{"gap": ["a-\"<", "b-1"]}`},
	} {
		if c.got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, c.got, c.want)
		}
		if !json.Valid([]byte(c.got)) {
			t.Errorf("%s is not JSON: %s", c.name, c.got)
		}
	}
}

func TestGroupsFrameLeavesItsListsAlone(t *testing.T) {
	list := []Group{"b-1", "a-1"}
	GroupsFrame(list, list, list)
	if list[0] != "b-1" {
		t.Error("the caller's list was sorted in place")
	}
}

// TestCloseRules compares the table with the one of the client protocol.
func TestCloseRules(t *testing.T) {
	reconnect := map[CloseCode]bool{
		1001: true, 1002: false, 1003: false, 1007: false, 1009: false, 1011: true, 1013: true,
		4401: true, 4403: false, 4408: true, 4429: true,
	}
	labels := map[string]bool{}
	for _, r := range CloseRules {
		want, known := reconnect[r.Code]
		if !known || r.Reconnect != want || r.NewToken != (r.Code == 4401) {
			t.Errorf("rule %+v, known %v, reconnect should be %v", r, known, want)
		}
		if r.Reason == "" || len(r.Reason) > MaxCloseReason || r.Label == "" || labels[r.Label] || strings.Contains(r.Label, " ") {
			t.Errorf("reason or label of %+v", r)
		}
		labels[r.Label] = true
		if got, ok := r.Code.Rule(); !ok || got != r {
			t.Errorf("%d.Rule() = %+v, %v", r.Code, got, ok)
		}
		delete(reconnect, r.Code)
	}
	if len(reconnect) != 0 {
		t.Errorf("codes without a rule: %v", reconnect)
	}
	if _, ok := CloseCode(1005).Rule(); ok {
		t.Error("1005 is never sent, but has a rule")
	}
}
