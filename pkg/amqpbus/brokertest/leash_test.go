package brokertest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leashed is set for the process that TestALeashEndsChildren kills.
const leashed = "BELFRY_TEST_LEASHED"

// TestALeashEndsChildren kills a process that has a group on a leash, without a word:
// what the group's first process started ends, too.
func TestALeashEndsChildren(t *testing.T) {
	if os.Getenv(leashed) != "" {
		holdALeash(t)
		return
	}
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestALeashEndsChildren$")
	holder.Env = append(os.Environ(), leashed+"=1")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscanf(bufio.NewReader(out), "child %d\n", &child); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child does not run: %v", err)
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !gone(child) {
		select {
		case <-tick.C:
		case <-late.C:
			_ = syscall.Kill(child, syscall.SIGKILL)
			t.Fatal("the child outlived who had it on a leash")
		}
	}
}

// holdALeash starts a group whose first process has a child, puts it on a leash, says
// which child it is, and waits for the group's end.
func holdALeash(t *testing.T) {
	first := exec.CommandContext(t.Context(), "/bin/sh", "-c", "sleep 300 & echo child $!; wait")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	first.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	release, err := leash(first.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// Not before: without the leash the child would rightly live on.
	child, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(child); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	release()
}

// gone reports that a process has ended, whether or not somebody has asked for its
// status.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.HasPrefix(string(bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])), "Z")
}
