package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"unsafe"

	"belfry/pkg/amqpbus/brokertest"
)

// insideVariable is set for a test binary that runs one test in a network
// namespace of its own.
const insideVariable = "BELFRY_TEST_NAMESPACE"

// Namespace gives a test a network of its own, in which every port is free: the
// shipped files name fixed ones. As root it runs the test once more, alone, in a
// process with another network namespace, reports what came of it and returns
// false: the caller returns at once. In that process, and for other users, it
// returns true: those wait until no other test has the fixed ports. The shared
// broker is outside of the namespace, so OwnBroker starts a node within.
func Namespace(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	if os.Getuid() != 0 {
		FixedPorts(t)
		return true
	}
	t.Parallel() // it waits more than it computes
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=10m", "-test.run=^"+regexp.QuoteMeta(t.Name())+"$")
	cmd.Env = append(os.Environ(), insideVariable+"=1", brokertest.SharedVariable+"=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) && cmd.Process == nil { // a container whose root may not
		FixedPorts(t)
		return true
	}
	if err != nil {
		t.Errorf("in a network namespace: %v\n%s", err, out.Bytes())
	} else if !bytes.Contains(out.Bytes(), []byte("--- PASS: "+t.Name()+" ")) {
		t.Skipf("in a network namespace it did not run:\n%s", out.Bytes())
	}
	return false
}

// loopbackUp brings the loopback interface of a new network namespace up
// (netdevice(7), SIOCSIFFLAGS).
func loopbackUp() error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer func() { _ = syscall.Close(socket) }()
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("bring lo up: %w", errno)
	}
	return nil
}
