//go:build unix

package wsconn

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

// attempt is one write on a descriptor. Its function is created once, so that a write
// allocates nothing.
type attempt struct {
	bytes []byte
	n     int
	err   error
	run   func(fd uintptr) (done bool)
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.run = func(fd uintptr) bool {
		for {
			a.n, a.err = syscall.Write(int(fd), a.bytes)
			if !errors.Is(a.err, syscall.EINTR) {
				return true // also on EAGAIN: never wait
			}
		}
	}
	return a
}}

// writeNow writes as much of p as the socket accepts without blocking. A full send buffer
// is not an error; n is then less than len(p).
//
// It goes through syscall.RawConn, which keeps the descriptor from being closed, and
// reused for another connection, during the write.
func writeNow(fd syscall.RawConn, p []byte) (n int, err error) {
	a := attempts.Get().(*attempt)
	a.bytes, a.n, a.err = p, 0, nil
	err = fd.Write(a.run)
	if err == nil {
		err = a.err
	}
	n = max(a.n, 0)
	a.bytes = nil
	attempts.Put(a)
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	if err != nil {
		return n, fmt.Errorf("write to socket: %w", err)
	}
	return n, nil
}
