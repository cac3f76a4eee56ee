// Package harness starts Belfry as its users run it, as processes with
// environment variables, and hands out addresses. An Installation is either the
// embedded mode (`belfry dev`) or any number of gateways and workers beside a
// private RabbitMQ. Everything is on the loopback interface, on free ports;
// processes are ended by their own id; their logs are shown when a test fails.
package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Main runs a test binary's tests and removes what the harness built for them.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.node != nil {
		shared.node.Stop()
	}
	for _, dir := range []string{binaries.dir, shared.dir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
	return code
}

// tempDir makes a folder for as long as the test binary runs.
func tempDir(into *string) string {
	dir, err := os.MkdirTemp("", "belfry-e2e-broker-")
	if err != nil {
		panic(fmt.Sprintf("make a temporary folder: %v", err)) // nothing can be tested without
	}
	*into = dir
	return dir
}

var binaries struct {
	once sync.Once
	dir  string
	err  error
}

// Binary returns the path of gateway, worker, belfry or tower, built once for each
// test binary. E2E_RACE=1 builds them with the race detector.
func Binary(t testing.TB, name string) string {
	t.Helper()
	binaries.once.Do(buildAll)
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return filepath.Join(binaries.dir, name)
}

func buildAll() {
	root, err := Root()
	if err != nil {
		binaries.err = err
		return
	}
	if binaries.dir, binaries.err = os.MkdirTemp("", "belfry-e2e-"); binaries.err != nil {
		return
	}
	for name, module := range map[string]string{"gateway": "services/gateway", "worker": "services/worker", "belfry": "cmd/belfry", "tower": "examples/tower"} {
		args := []string{"build", "-o", filepath.Join(binaries.dir, name)}
		if os.Getenv("E2E_RACE") != "" {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, ".")...)
		build.Dir = filepath.Join(root, module)
		build.Env = append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			binaries.err = fmt.Errorf("build %s: %w\n%s", name, err, out)
			return
		}
	}
}

// Root is the top of the repository, found by its go.work.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the repository: no go.work above the working folder")
		}
	}
}
