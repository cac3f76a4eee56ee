package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestManualPageHasEveryCommand(t *testing.T) {
	clean(t)
	page := sh(t, "", "man")
	page.want(t, 0, ".TH", "")
	for _, c := range root(nil, nil, nil).Commands {
		if !strings.Contains(page.out, "\n.SH "+c.Name) && !strings.Contains(page.out, c.Usage) {
			t.Errorf("%s is missing", c.Name)
		}
	}
}

// TestShellsTakeTheCompletion: a bash reads what is printed.
func TestShellsTakeTheCompletion(t *testing.T) {
	clean(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		sh(t, "", "completion", shell).want(t, 0, "belfry", "")
	}
	script := file(t, "belfry.bash", sh(t, "", "completion", "bash").out)
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", script).CombinedOutput(); err != nil {
		t.Errorf("bash does not read it: %v %s", err, out)
	}
	before := os.Args // the library looks there and not at what it is given
	defer func() { os.Args = before }()
	os.Args = []string{"belfry", "--generate-shell-completion"}
	got := sh(t, "", "--generate-shell-completion")
	got.want(t, 0, "permissions", "")
	got.want(t, 0, "dead", "")
}

func TestInvisibleInputIsNamed(t *testing.T) {
	clean(t)
	sh(t, "", "emit", "a-b", "\ufeff{}").want(t, statusUsage, "", "byte order mark (BOM)")
	sh(t, "", "emit", "a-b", "{}\r").want(t, statusUsage, "", "carriage return (CR)")
	set(t, "BELFRY_EMIT_EXPIRATION", "1s\r")
	sh(t, "", "emit", "a-b", "{}").want(t, 1, "", "BELFRY_EMIT_EXPIRATION holds a carriage return (CR)")
}
