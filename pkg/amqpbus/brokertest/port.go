package brokertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports below the range from which systems take the local ports of outgoing
// connections (32768 on Linux, 49152 by IANA). One from that range may be taken
// by anybody's connection at the moment when a process is to listen on it, and
// most of all when it is started for a second time.
const (
	firstPort = 20_000
	lastPort  = 31_999
)

var given = struct {
	sync.Mutex
	ports map[int]*os.File
}{ports: make(map[int]*os.File)}

// FreePort returns a TCP port on which nobody listens on 127.0.0.1, and which it
// did not return before, in this process or in another test binary that still
// runs: a node listens seconds after its port was chosen. It stays a good choice
// for a process that is ended and started again. It may be called concurrently.
func FreePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	var last error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) // a port is no secret
		if given.ports[port] != nil {
			continue
		}
		mine, err := reserve(port)
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			last = errors.Join(err, mine.Close())
			continue
		}
		given.ports[port] = mine // locked as long as this process lives
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port from %d to %d in 100 attempts: %w", firstPort, lastPort, last)
}

// reserve locks the file that stands for a port among this user's test binaries,
// which the system unlocks when the process ends.
func reserve(port int) (*os.File, error) {
	dir := filepath.Join(os.TempDir(), "belfry-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of reserved ports: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("reserve port %d: %w", port, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("port %d is reserved by another process: %w", port, err), file.Close())
	}
	return file, nil
}
