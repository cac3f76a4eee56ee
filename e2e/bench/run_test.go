package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestASmallRun runs every experiment with few connections for a short time: the
// figures mean nothing, and all of them are there.
func TestASmallRun(t *testing.T) {
	if !harness.Full() {
		t.Skip("takes a minute: make verify runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", ".", "-bin", filepath.Dir(harness.Binary(t, "gateway")), "-conns", "200", "-seconds", "1")
	var table, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &table, &progress
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, x := range experiments(options{}, nil, "") {
		if !strings.Contains(progress.String(), x.name+"\n") {
			t.Errorf("it did not say that it runs %s:\n%s", x.name, progress.String())
		}
	}
	if rows := strings.Count(table.String(), "\n| "); rows < 8+len(quotes) || !strings.Contains(table.String(), "For the README:") {
		t.Errorf("the tables are not whole:\n%s", table.String())
	}
}
