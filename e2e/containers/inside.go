//go:build containers

package containers

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"belfry/e2e/harness"
)

// insideVariable is set in the namespaces of the test: it names the folder that
// scripts/engine.sh filled.
const insideVariable = "E2E_CONTAINERS_INSIDE"

// hostNetwork is the descriptor, in the test's namespaces, of the network
// namespace outside: images are built there, because that needs packages.
const hostNetwork = 3

// unable is why no engine can run here; empty: one can.
var unable string

// Main runs a test binary's tests beside a running engine. It runs the binary
// again, in namespaces of its own for processes, mounts and the network: all that
// the engine starts ends with it, whatever happens, and the ports of
// docker-compose.yml are free there. Where no engine can run, the tests run here,
// and Needs skips those that need one. run is the binary's own m.Run.
func Main(run func() int) int {
	if flag.Parse(); testing.Short() {
		return run()
	}
	if os.Getenv(insideVariable) != "" {
		return inside(run)
	}
	if unable = WhyNot(); unable != "" {
		fmt.Printf("SKIPPED: no container engine can run here: %s\n", unable)
		return run()
	}
	status, err := outside()
	if err != nil {
		fmt.Println("prepare the container tests:", err)
		return 1
	}
	return status
}

// Needs skips a test where no engine can run.
func Needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a container engine: not in -short")
	}
	if unable != "" {
		t.Skip("SKIPPED: no container engine can run here: " + unable)
	}
}

// enter is the first process of the namespaces: it runs the test and ends with its
// status, and takes leave of processes whose parent has gone.
const enter = `ip link set lo up || exit 1
for folder in /run/containerd /run/docker; do # of an engine of the system
	[ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder" || exit 1
done
"$@" 3<&3 &
wait $!
`

// outside fetches and builds what is missing and runs this binary again, inside.
func outside() (status int, err error) {
	root, err := harness.Root()
	if err != nil {
		return 0, err
	}
	prepare := exec.Command(filepath.Join(root, "scripts", "engine.sh"))
	prepare.Stderr = os.Stdout
	said, err := prepare.Output()
	if err != nil {
		return 0, fmt.Errorf("scripts/engine.sh: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	folder := lines[len(lines)-1]
	lock, err := os.Create(filepath.Join(folder, "data.lock"))
	if err != nil {
		return 0, fmt.Errorf("lock the engine's data: %w", err)
	}
	defer func() { _ = lock.Close() }()
	// Another package's tests may be at it: one engine at a time has the data.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return 0, fmt.Errorf("lock the engine's data: %w", err)
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 0, fmt.Errorf("hold on to the network: %w", err)
	}
	defer func() { _ = network.Close() }()
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the test's own program: %w", err)
	}
	arguments := []string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "sh", "-c", enter, "enter", self}
	again := exec.Command("unshare", append(arguments, os.Args[1:]...)...)
	again.Env = append(os.Environ(), insideVariable+"="+folder)
	again.Stdout, again.Stderr, again.ExtraFiles = os.Stdout, os.Stderr, []*os.File{network}
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = again.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), nil
	}
	return 0, err
}

// inside makes the images, starts the engine and runs the tests.
func inside(run func() int) int {
	if err := start(os.Getenv(insideVariable)); err != nil {
		fmt.Println("start the container engine:", err)
		return 1
	}
	status := run()
	if err := engine.stop(); err != nil {
		fmt.Println("stop the container engine:", err)
		return 1
	}
	return status
}
