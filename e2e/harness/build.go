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

	"belfry/pkg/amqpbus/brokertest"
)

// ProgramsVariable names the environment variable with the folder of the
// programs that test binaries share: gateway, worker, belfry and tower, and in its
// folder race the first two with the race detector. `make test` builds them and
// sets it; without it each test binary builds what it needs.
const ProgramsVariable = "BELFRY_TEST_PROGRAMS"

// Main runs a test binary's tests and removes what the harness built for them.
func Main(m *testing.M) int {
	if os.Getenv(insideVariable) != "" {
		if err := loopbackUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := brokertest.Sharing{Tests: m}.Run()
	for _, dir := range []string{plain.dir, raced.dir} {
		if dir != "" && os.Getenv(ProgramsVariable) == "" {
			_ = os.RemoveAll(dir)
		}
	}
	return code
}

// binaries are programs that are built once.
type binaries struct {
	once sync.Once
	race bool
	dir  string
	err  error
}

var plain, raced = binaries{race: os.Getenv("E2E_RACE") != ""}, binaries{race: true}

type program struct{ name, folder string }

// modules are the programs' folders. The race detector watches the first two.
var modules = []program{
	{"gateway", "services/gateway"}, {"worker", "services/worker"}, {"belfry", "cmd/belfry"}, {"tower", "examples/tower"},
}

// Binary returns the path of gateway, worker, belfry or tower. E2E_RACE=1 builds
// them all with the race detector.
func Binary(t T, name string) string {
	t.Helper()
	return plain.path(t, name)
}

func (b *binaries) path(t T, name string) string {
	t.Helper()
	b.once.Do(b.build)
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, name)
}

func (b *binaries) build() {
	if dir := os.Getenv(ProgramsVariable); dir != "" && b.race == (b == &raced) {
		if b.dir = dir; b.race {
			b.dir = filepath.Join(dir, "race")
		}
		return
	}
	if b.dir, b.err = os.MkdirTemp("", "belfry-e2e-"); b.err != nil {
		return
	}
	if b == &raced {
		b.err = BuildRaced(b.dir)
	} else {
		b.err = build(b.dir, b.race, modules)
	}
}

// BuildPrograms builds all programs into a folder.
func BuildPrograms(dir string) error { return build(dir, false, modules) }

// BuildRaced builds gateway and worker into a folder, with the race detector.
func BuildRaced(dir string) error { return build(dir, true, modules[:2]) }

func build(dir string, race bool, programs []program) error {
	root, err := Root()
	if err != nil {
		return err
	}
	for _, module := range programs {
		args := []string{"build", "-o", filepath.Join(dir, module.name)}
		if race {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, ".")...)
		build.Dir = filepath.Join(root, module.folder)
		build.Env = append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", module.name, err, out)
		}
	}
	return nil
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
