//go:build unix

package edge

import (
	"math"
	"syscall"
)

// openFiles returns how many file descriptors this process may open; 0 if that is not
// known, or practically unlimited.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
