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
	for _, dir := range []string{plain.dir, raced.dir, shared.dir} {
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

// binaries are programs that are built once for each test binary.
type binaries struct {
	once sync.Once
	race bool
	dir  string
	err  error
}

var plain, raced = binaries{race: os.Getenv("E2E_RACE") != ""}, binaries{race: true}

// modules are the programs' folders. The race detector watches the first two.
var modules = []struct{ name, folder string }{
	{"gateway", "services/gateway"}, {"worker", "services/worker"}, {"belfry", "cmd/belfry"}, {"tower", "examples/tower"},
}

// Binary returns the path of gateway, worker, belfry or tower, built once for each
// test binary. E2E_RACE=1 builds them all with the race detector.
func Binary(t testing.TB, name string) string {
	t.Helper()
	return plain.path(t, name)
}

func (b *binaries) path(t testing.TB, name string) string {
	t.Helper()
	b.once.Do(b.build)
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, name)
}

func (b *binaries) build() {
	root, err := Root()
	if err != nil {
		b.err = err
		return
	}
	if b.dir, b.err = os.MkdirTemp("", "belfry-e2e-"); b.err != nil {
		return
	}
	wanted := modules
	if b == &raced {
		wanted = modules[:2]
	}
	for _, module := range wanted {
		args := []string{"build", "-o", filepath.Join(b.dir, module.name)}
		if b.race {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, ".")...)
		build.Dir = filepath.Join(root, module.folder)
		build.Env = append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", module.name, err, out)
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
