package blackbox

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// subscribing are the rows of the section "Subscribing".
var subscribing = []row{
	{name: "no groups at the start", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		in.Emit(t, group(), event())
		c.quiet()
	}},
	{name: "items are strings or integers", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		a, b := id(), id()
		want := []string{fmt.Sprintf("job_events-%d", a), fmt.Sprintf("job_events-%d", b), "jobs-status_changed"}
		c.ask(fmt.Sprintf(`{"groups": {"jobs": ["status_changed"], "job_events": [%d, "%d"]}}`, a, b), reply(want, nil, want))
		for _, g := range want {
			e := event()
			in.Emit(t, g, e)
			c.expect(e)
		}
	}},
	{name: "the dictionary replaces", run: replaces},
	{name: "nothing changed is answered too", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.ask(message(g), reply([]string{g}, nil, []string{g}))
		c.ask(message(g), reply([]string{g}, nil, nil))
	}},
	{name: "the empty dictionary leaves everything", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.join(g)
		c.ask(`{"groups": {}}`, reply(nil, []string{g}, nil))
		in.Emit(t, g, event())
		c.quiet()
		c.ask(`{"groups": {}}`, reply(nil, nil, nil))
	}},
	{name: "an item twice is one group", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		n := id()
		g := fmt.Sprintf("job_events-%d", n)
		c.ask(fmt.Sprintf(`{"groups": {"job_events": [%d, "%d", %d]}}`, n, n, n), reply([]string{g}, nil, []string{g}))
		e := event()
		in.Emit(t, g, e)
		c.expect(e)
		c.quiet()
	}},
	{name: "xrftoken and unknown keys", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.ask(`{"xrftoken": "abc", "later": {"x": [1, null]}, `+message(g)[1:], reply([]string{g}, nil, []string{g}))
	}},
	{name: "Tower's sample dictionary, ten families", run: tower},
	{name: "a denied item is answered first, the rest goes on", run: denied},
	{name: "another user's control-limit_reached", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenUser)
		c.ask(`{"groups": {"control": ["limit_reached_7"]}}`, `{"error": "access denied to channel control for resource id limit_reached_7"}`)
		c.expect(reply(nil, nil, nil))
		c.ask(`{"groups": {"control": ["limit_reached_8"]}}`, reply([]string{"control-limit_reached_8"}, nil, []string{"control-limit_reached_8"}))
		in.Emit(t, "control-limit_reached_7", `{"group_name": "control", "reason": "not for 8"}`)
		mine := `{"group_name": "control", "reason": "for 8"}`
		in.Emit(t, "control-limit_reached_8", mine)
		c.expect(mine)
		c.quiet()
	}},
	{name: "a family without a rule is denied", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenUser)
		c.ask(`{"groups": {"secrets": ["all"]}}`, `{"error": "access denied to channel secrets for resource id all"}`)
		c.expect(reply(nil, nil, nil))
	}},
	{name: "user 7 has control-limit_reached_7, and not that of 8", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		c.ask(`{"groups": {"control": ["limit_reached_8", "limit_reached_7"]}}`, `{"error": "access denied to channel control for resource id limit_reached_8"}`)
		c.expect(reply([]string{"control-limit_reached_7"}, nil, []string{"control-limit_reached_7"}))
		in.Emit(t, "control-limit_reached_8", `{"group_name": "control", "reason": "not for 7"}`)
		mine := `{"group_name": "control", "reason": "for 7"}`
		in.Emit(t, "control-limit_reached_7", mine)
		c.expect(mine)
		c.quiet()
	}},
	{name: "an invalid message changes nothing", run: invalid},
	{name: "ten invalid messages are answered, the next is answered and 4429", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		_ = c.conn.SendBytes(bytes.Repeat(frame(wsclient.OpText, `nonsense`).Bytes(), 20))
		for range 11 {
			c.expect(`{"error": "` + notJSON + `"}`)
		}
		_, err := c.conn.Next(patience)
		if closed, ok := errors.AsType[*wsclient.CloseError](err); !ok || closed.Code != 4429 {
			t.Fatalf("behind eleven answers came %v, want 4429", err)
		}
	})},
	{name: "50 messages at once are answered", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		if err := c.conn.SendBytes(bytes.Repeat(frame(wsclient.OpText, `{"groups": {}}`).Bytes(), 50)); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			c.expect(reply(nil, nil, nil))
		}
	}},
	{name: "1,000 groups, not 1,001", run: thousand},
	{name: "name and item of 200 bytes, not 201", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := "long-" + strings.Repeat("x", 196)
		c.ask(message(g), reply([]string{g}, nil, []string{g}))
		e := event()
		in.Emit(t, g, e)
		c.expect(e)
		item := strings.TrimPrefix(g, "long-") + "x"
		c.ask(message("long-"+item), `{"error": "the item \"`+item[:40]+`...\" of \"long\" is not allowed: a group's name and item are longer than 200 bytes together"}`)
		in.Emit(t, g, e)
		c.expect(e)
	}},
	{name: "an emit right after the answer arrives", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		for range 40 { // fewer than a client may send at once
			g, e := group(), event()
			c.join(g)
			in.Emit(t, g, e)
			c.expect(e)
		}
	}},
}

func replaces(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenAdmin)
	kept, left, joined := group(), group(), group()
	first := []string{kept, left}
	c.ask(message(first...), reply(first, nil, first))
	second := []string{kept, joined}
	c.ask(message(second...), reply(second, []string{left}, []string{joined}))
	in.Emit(t, left, event())
	for _, g := range second {
		e := event()
		in.Emit(t, g, e)
		c.expect(e)
	}
	c.quiet()
}

// families are Tower's, with the payloads that Tower's backends emit.
var families = []struct{ group, payload string }{
	{"jobs-status_changed", `{"group_name": "jobs", "unified_job_id": 42, "status": "running", "instance_group_name": "tower"}`},
	{"jobs-summary", `{"group_name": "jobs", "unified_job_id": 42}`},
	{"schedules-changed", `{"group_name": "schedules", "id": 3}`},
	{"inventories-status_changed", `{"group_name": "inventories", "inventory_id": 4, "status": "deleted"}`},
	{"job_events-42", `{"group_name": "job_events", "job": 42, "counter": 1, "event": "runner_on_ok", "stdout": "\u001b[0;32mok: [host]\u001b[0m", "created": "2018-01-01T00:00:00Z"}`},
	{"ad_hoc_command_events-43", `{"group_name": "ad_hoc_command_events", "ad_hoc_command": 43, "counter": 1, "event": "runner_on_ok", "stdout": ""}`},
	{"project_update_events-44", `{"group_name": "project_update_events", "project_update": 44, "counter": 1, "event": "playbook_on_start", "stdout": ""}`},
	{"inventory_update_events-45", `{"group_name": "inventory_update_events", "inventory_update": 45, "counter": 1, "event": "verbose", "stdout": ""}`},
	{"system_job_events-46", `{"group_name": "system_job_events", "system_job": 46, "counter": 1, "event": "verbose", "stdout": ""}`},
	{"workflow_events-47", `{"group_name": "workflow_events", "workflow_job_id": 47, "workflow_node_id": 5, "unified_job_id": 42, "status": "successful"}`},
	{"control-limit_reached_7", `{"group_name": "control", "reason": "limit_reached"}`},
}

// tower subscribes as Tower's browser does, with a user who has a claim for each job
// and otherwise what the policy gives everybody.
func tower(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenTower)
	var all []string
	for _, f := range families {
		all = append(all, f.group)
	}
	c.ask(`{"xrftoken": "d8f1", "groups": {
		"jobs": ["status_changed", "summary"], "schedules": ["changed"], "inventories": ["status_changed"], "job_events": [42], "ad_hoc_command_events": [43],
		"project_update_events": [44], "inventory_update_events": [45], "system_job_events": [46], "workflow_events": [47],
		"control": ["limit_reached_7"]}}`, reply(all, nil, all))
	for _, f := range families {
		in.Emit(t, f.group, f.payload)
		c.expect(f.payload)
	}
	c.quiet()
}

func denied(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenUser)
	g := group()
	n := strings.TrimPrefix(g, "job_events-")
	c.ask(fmt.Sprintf(`{"groups": {"secrets": [43, "x"], "job_events": [%s]}}`, n), `{"error": "access denied to channel secrets for resource id 43"}`)
	c.expect(`{"error": "access denied to channel secrets for resource id x"}`)
	c.expect(reply([]string{g}, nil, []string{g}))
	in.Emit(t, "secrets-43", event())
	e := event()
	in.Emit(t, g, e)
	c.expect(e)
	c.quiet()
}

func thousand(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenAdmin)
	var groups []string
	for range 1000 {
		groups = append(groups, group())
	}
	c.ask(message(groups...), reply(groups, nil, groups))
	c.ask(message(append(groups, group())...), `{"error": "more than 1000 groups"}`)
	for _, g := range []string{groups[0], groups[499], groups[999]} {
		e := event()
		in.Emit(t, g, e)
		c.expect(e)
	}
	c.ask(`{"groups": {}}`, reply(nil, groups, nil))
}
