//go:build unix

package edge

import (
	"math"
	"syscall"
)

// openFiles is how many descriptors this process may have; 0: it is not known, or
// more than anybody needs.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
