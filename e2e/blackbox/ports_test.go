package blackbox

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// noPort looks at a worker without BELFRY_ADMIN_LISTEN at work, as the kernel
// sees it.
func noPort(t *testing.T, in *harness.Installation) {
	closed := in.AddWorker(t, "closed", "BELFRY_ADMIN_LISTEN=")
	for _, other := range in.Workers[:len(in.Workers)-1] {
		other.Kill9()
	}
	c := open(t, in, 0, harness.TokenAdmin) // nobody else could have answered
	g, e := group(), event()
	c.join(g)
	in.Emit(t, g, e)
	c.expect(e)
	listening, connected := sockets(t, closed.Pid())
	if listening != 0 || connected < 2 {
		t.Errorf("the worker listens on %d ports and has %d connections, want none and two to the broker", listening, connected)
	}
	if listening, _ := sockets(t, in.Gateways[0].Pid()); listening != 2 {
		t.Errorf("a gateway listens on %d ports, want 2: is the test blind?", listening)
	}
}

// States of a TCP socket in /proc/net/tcp.
const (
	stateEstablished = "01"
	stateListen      = "0A"
)

// sockets counts a process's TCP sockets by state.
func sockets(t *testing.T, pid int) (listening, connected int) {
	t.Helper()
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(descriptors) == 0 {
		t.Fatalf("the process has no descriptors: %v", err)
	}
	own := map[string]bool{}
	for _, d := range descriptors {
		target, err := os.Readlink(d)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if os.IsNotExist(err) {
			continue // no IPv6 here
		}
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text()) // sl local remote st queues timer retransmits uid timeout inode
			if len(fields) < 10 || !own[fields[9]] {
				continue
			}
			switch fields[3] {
			case stateListen:
				listening++
			case stateEstablished:
				connected++
			}
		}
		_ = f.Close()
	}
	return listening, connected
}
