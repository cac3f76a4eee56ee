package brokertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
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
	ports map[int]bool
}{ports: make(map[int]bool)}

// FreePort returns a TCP port on which nobody listens on 127.0.0.1, and which it
// did not return before. It stays a good choice for a process that is ended and
// started again. It may be called concurrently.
func FreePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	var last error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) // a port is no secret
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			last = err
			continue
		}
		given.ports[port] = true
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port from %d to %d in 100 attempts: %w", firstPort, lastPort, last)
}
