package harness

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Hog keeps one processor busy until the process is ended, or the test ends.
func Hog(t testing.TB, name string) *Process {
	t.Helper()
	return Run(t, name, "/bin/sh", "-c", "while :; do :; done")
}

// Descriptors is how many files and sockets the process has open.
func (p *Process) Descriptors(t testing.TB) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// LimitDescriptors bounds the files and sockets that the process may have open
// from now on. What is open stays open.
func (p *Process) LimitDescriptors(t testing.TB, most int) {
	t.Helper()
	limit := exec.Command("/usr/bin/prlimit", fmt.Sprintf("--pid=%d", p.Pid()), fmt.Sprintf("--nofile=%d:", most))
	if out, err := limit.CombinedOutput(); err != nil {
		t.Fatalf("limit the descriptors of %s: %v\n%s", p.Name, err, out)
	}
}
