package access

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

func policy(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTemplates(t *testing.T) {
	for _, row := range []struct {
		template, user, group string
		want                  bool
	}{
		{"jobs-summary", "7", "jobs-summary", true},
		{"jobs-summary", "7", "jobs-summary2", false},
		{"jobs-summary", "7", "jobs-summar", false},
		{"jobs-*", "7", "jobs-anything-at_all", true},
		{"jobs-*", "7", "jobs2-summary", false},
		{"control-limit_reached_{user}", "7", "control-limit_reached_7", true},
		{"control-limit_reached_{user}", "7", "control-limit_reached_8", false},
		{"control-limit_reached_{user}", "7", "control-limit_reached_77", false},
		{"control-limit_reached_{user}", "7", "control-limit_reached_", false},
		{"control-limit_reached_{user}", "7", "control-limit_reached_{user}", false},
		{"control-limit_reached_{user}", "", "control-limit_reached_", false},
		{"control-limit_reached_{user}", "{int}", "control-limit_reached_5", false},
		{"control-limit_reached_{user}", "{int}", "control-limit_reached_{int}", true},
		{"control-limit_reached_{user}", ".", "control-limit_reached_7", false},
		{"job_events-{int}", "7", "job_events-42", true},
		{"job_events-{int}", "7", "job_events-0", true},
		{"job_events-{int}", "7", "job_events-18446744073709551615", true},
		{"job_events-{int}", "7", "job_events-042", false},
		{"job_events-{int}", "7", "job_events--1", false},
		{"job_events-{int}", "7", "job_events-+1", false},
		{"job_events-{int}", "7", "job_events-4x", false},
		{"job_events-{int}", "7", "job_events-*", false},
		{"job_events-{int}", "7", "job_events-٤٢", false},
		{"job_events-{int}", "7", "job_events-" + strings.Repeat("9", 21), false},
		{"x-{user}_{int}", "7", "x-7_1", true},
		{"x-{user}_{int}", "7", "x-7_1_1", false},
		{"x-{user}_{int}", "7_1", "x-7_1_1", true},
		{"x-{int}.{user}", "7", "x-12.7", true},
		{"x-{int}.{user}", "2.7", "x-1.2.7", true},
		{"x-{int}.{user}", "7", "x-1.2.7", false},
	} {
		tm, err := parseTemplate(row.template)
		if err != nil {
			t.Fatal(err)
		}
		g := protocol.Group(row.group)
		got := g.Name() == tm.name && tm.matches(g.Item(), row.user)
		if got != row.want {
			t.Errorf("%s of %q, %s: got %v", row.template, row.user, row.group, got)
		}
	}
}

func TestBadPolicies(t *testing.T) {
	for _, template := range []string{
		"", "jobs", "jobs-", "-summary", "jobs-sum*", "jobs-*x", "jo*s-summary", "**", "{user}-x", "jobs-{users}",
		"jobs-{user", "jobs-user}", "jobs-{}", "jobs-{user}{int}", "jobs-{int}{user}", "jobs-{user}_{user}",
		"jobs-{user}7{int}", "jobs-{int}7{user}", "jobs-a7{int}", "jobs-{USER}", "jobs-" + strings.Repeat("x", 200),
	} {
		text, err := json.Marshal(map[string]any{"rules": []any{map[string]any{"groups": []string{template}, "allow": []string{"all"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePolicy(text); err == nil {
			t.Errorf("template %q is accepted", template)
		}
	}
	for _, text := range []string{
		``, `{}`, `[]`, `{"rules": []}`, `{"rules": [{"groups": ["jobs-*"]}]}`, `{"rules": [{"allow": ["all"]}]}`,
		`{"rules": [{"groups": ["jobs-*"], "allow": "all"}]}`, `{"rules": [{"groups": ["jobs-*"], "allow": ["everybody"]}]}`,
		`{"rules": [{"groups": ["jobs-*"], "allow": ["claim"], "allow": ["all"]}]}`, `{"rules": [{"groups": ["jobs-*"], "allow": ["all"]}], "rules": [{"groups": ["a-*"], "allow": ["all"]}]}`,
		`{"rules": [{"groups": ["jobs-*"], "Groups": ["a-*"], "allow": ["all"]}]}`, "{\"comment\": \"\xff\", \"rules\": [{\"groups\": [\"jobs-*\"], \"allow\": [\"all\"]}]}",
		`{"rules": [{"groups": ["jobs-*"], "allow": ["all"], "deny": []}]}`, `{"rules": [{"groups": ["jobs-*"], "allow": ["all"]}]} {}`,
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil {
			t.Errorf("policy %s is accepted", text)
		}
	}
}

// FuzzTwoUsers: no template with {user} gives the same group to two users.
func FuzzTwoUsers(f *testing.F) {
	f.Add("x-{user}_{int}", "7", "7_1", "x-7_1_1")
	f.Add("x-{int}a{user}", "7", "1a7", "x-1a1a7")
	f.Add("x-a{user}b", "b", "bb", "x-abbb")
	f.Fuzz(func(t *testing.T, text, one, two, group string) {
		tm, err := parseTemplate(text)
		if err != nil || one == two || !strings.Contains(text, "{user}") {
			return
		}
		item := protocol.Group(group).Item()
		if tm.matches(item, one) && tm.matches(item, two) {
			t.Errorf("%q gives %q to %q and to %q", text, group, one, two)
		}
	})
}

func authorize(t *testing.T, p *Policy, id auth.Identity, group string) bool {
	t.Helper()
	a, err := NewAuthorizer(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Authorize(context.Background(), id, []protocol.Group{protocol.Group(group)})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Allowed)+len(r.Denied) != 1 {
		t.Fatalf("%s: allowed %q, denied %q", group, r.Allowed, r.Denied)
	}
	return len(r.Allowed) == 1
}

// TestShippedPolicies loads the policies in configs, and the one of belfry dev.
func TestShippedPolicies(t *testing.T) {
	for _, path := range []string{"configs/policy.tower.json", "configs/policy.tower-application.json", "cmd/belfry/internal/dev/policy.json"} {
		p, err := LoadPolicy("../../../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range []protocol.Group{"jobs-status_changed", "jobs-summary", "schedules-changed", "inventories-status_changed", "control-limit_reached_7"} {
			if p.judge(group, "7", parseClaims(nil)) != allowed {
				t.Errorf("%s: %s is not allowed to everybody", path, group)
			}
		}
		for _, group := range []protocol.Group{"inventories-7", "control-limit_reached_8"} {
			if p.judge(group, "7", parseClaims([]string{"*"})) != denied {
				t.Errorf("%s: %s is not denied", path, group)
			}
		}
	}
}

func TestShippedPolicy(t *testing.T) {
	p, err := LoadPolicy("../../../../configs/policy.tower.json")
	if err != nil {
		t.Fatal(err)
	}
	nobody := auth.Identity{User: json.RawMessage(`7`)}
	some := auth.Identity{User: json.RawMessage(`7`), Groups: []string{"job_events-42", "workflow_events-*"}}
	all := auth.Identity{User: json.RawMessage(`7`), Groups: []string{"*"}}
	text := auth.Identity{User: json.RawMessage(`"7"`), Groups: []string{"control-*", "jobs-*"}}
	for _, row := range []struct {
		group                   string
		nobody, some, all, text bool
	}{
		{"jobs-status_changed", true, true, true, true},
		{"jobs-summary", true, true, true, true},
		{"jobs-other", false, false, false, false},
		{"schedules-changed", true, true, true, true},
		{"inventories-status_changed", true, true, true, true},
		{"inventories-7", false, false, false, false},
		{"job_events-42", false, true, true, false},
		{"job_events-43", false, false, true, false},
		{"job_events-*", false, false, false, false},
		{"ad_hoc_command_events-1", false, false, true, false},
		{"workflow_events-5", false, true, true, false},
		{"project_update_events-5", false, false, true, false},
		{"inventory_update_events-5", false, false, true, false},
		{"system_job_events-5", false, false, true, false},
		{"control-limit_reached_7", true, true, true, true},
		{"control-limit_reached_8", false, false, false, false},
		{"unknown-1", false, false, false, false},
	} {
		for name, c := range map[string]struct {
			id   auth.Identity
			want bool
		}{"nobody": {nobody, row.nobody}, "some": {some, row.some}, "all": {all, row.all}, "text": {text, row.text}} {
			if got := authorize(t, p, c.id, row.group); got != c.want {
				t.Errorf("%s of %s: got %v", row.group, name, got)
			}
		}
	}
}

func TestShippedPolicyWithApplicationNeedsOne(t *testing.T) {
	p, err := LoadPolicy("../../../../configs/policy.tower-application.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewAuthorizer(p, nil); err == nil {
		t.Error("no error without an application")
	}
}

// TestStarIsForTheOtherNames: a rule for "*" does not apply to a name that another rule
// mentions.
func TestStarIsForTheOtherNames(t *testing.T) {
	p := policy(t, `{"rules": [{"groups": ["*"], "allow": ["all"]}, {"groups": ["secret-{user}"], "allow": ["all"]}]}`)
	id := auth.Identity{User: json.RawMessage(`7`)}
	for group, want := range map[string]bool{"any-1": true, "secret-7": true, "secret-8": false} {
		if got := authorize(t, p, id, group); got != want {
			t.Errorf("%s: got %v", group, got)
		}
	}
}

// TestClaims: an entry of a groups claim is a pattern only in its three forms.
func TestClaims(t *testing.T) {
	p := policy(t, `{"rules": [{"groups": ["*"], "allow": ["claim"]}]}`)
	for _, row := range []struct {
		claim, group string
		want         bool
	}{
		{"*", "a-1", true}, {"a-*", "a-1", true}, {"a-*", "ab-1", false}, {"a-1", "a-1", true}, {"a-1", "a-12", false},
		{"a-1*", "a-12", false}, {"*-1", "a-1", false}, {"a-{user}", "a-7", false}, {"a-{int}", "a-7", false},
		{"", "a-1", false}, {"-*", "a-1", false}, {"a", "a-1", false}, {".*", "a-1", false}, {"a-#", "a-1", false},
	} {
		id := auth.Identity{User: json.RawMessage(`7`), Groups: []string{row.claim}}
		if got := authorize(t, p, id, row.group); got != row.want {
			t.Errorf("claim %q, %s: got %v", row.claim, row.group, got)
		}
	}
}

func TestInvalidUserIsAnError(t *testing.T) {
	a, err := NewAuthorizer(policy(t, `{"rules": [{"groups": ["control-limit_reached_{user}"], "allow": ["all"]}, {"groups": ["*"], "allow": ["claim"]}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{`"*"`, `"7*"`, `"7\n"`, `"\u0000"`, `"\u202e7"`, `""`, `null`, `{}`, `1.5`, `1e3`, `-0`, `"\ud800"`, "\"\xff\"", `7 8`, ``} {
		r, err := a.Authorize(context.Background(), auth.Identity{User: json.RawMessage(user)}, []protocol.Group{"control-limit_reached_7"})
		if err == nil || len(r.Allowed) != 0 {
			t.Errorf("user %s: got %+v, %v", user, r, err)
		}
	}
}
