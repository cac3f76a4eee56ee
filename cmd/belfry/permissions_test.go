package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"belfry/cmd/belfry/internal/permissions"
)

// TestPermissionsAreTheShippedOnes: what is printed and what is shipped are one.
func TestPermissionsAreTheShippedOnes(t *testing.T) {
	clean(t)
	var shipped, printed struct{ Permissions []permissions.Definition }
	text, err := os.ReadFile("../../deploy/rabbitmq/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	got := sh(t, "", "permissions", "--definitions")
	got.want(t, 0, "belfry-gateway", "")
	if err := json.Unmarshal(text, &shipped); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got.out), &printed); err != nil {
		t.Fatal(err)
	}
	if len(printed.Permissions) != 3 || len(shipped.Permissions) != 3 {
		t.Fatalf("printed %d, shipped %d", len(printed.Permissions), len(shipped.Permissions))
	}
	for i, p := range printed.Permissions {
		if p != shipped.Permissions[i] {
			t.Errorf("printed %+v\nshipped %+v", p, shipped.Permissions[i])
		}
	}
	sh(t, "", "permissions", "--role", "nobody").want(t, statusUsage, "", "gateway, worker, backend")
	sh(t, "", "permissions", "--user", "x").want(t, statusUsage, "", "--user needs exactly one --role")
}

// pasted lets a shell read the commands, and returns the words of rabbitmqctl.
func pasted(t *testing.T, script string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `rabbitmqctl() { printf '%s\n' "$@"; }`+"\n"+script).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// TestPrintedPermissionsSuffice pastes the commands and checks each role with the
// user that they are for.
func TestPrintedPermissionsSuffice(t *testing.T) {
	withBus(t, 1)
	configured(t, "guest")
	v := node(t)
	for _, role := range []string{"gateway", "worker", "backend"} {
		user := "o'" + role
		got := sh(t, "", "permissions", "--role", role, "--user", user, "--vhost", v.Name)
		words := pasted(t, got.out)
		if len(words) != 7 || words[0] != "set_permissions" || words[2] != v.Name || words[3] != user {
			t.Fatalf("a shell reads %q in\n%s", words, got.out)
		}
		if err := v.AddUser(user, "^$", "^$", "^$"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Node.Ctl(words...); err != nil {
			t.Fatal(err)
		}
		set(t, "BELFRY_AMQP_URL", v.URL(user))
		sh(t, "", "check", "--nothing-runs", "--role", role).want(t, 0, "ok     broker", "")
	}
}
