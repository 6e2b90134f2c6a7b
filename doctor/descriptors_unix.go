//go:build unix

package doctor

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many files this process may open. Package syscall raises the soft limit to the hard one before
// main, so this is the most.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxUint64
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
