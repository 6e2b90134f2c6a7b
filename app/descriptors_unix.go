//go:build unix

package app

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many descriptors the process may have open. Package syscall raises the soft limit to the
// hard one before main, so this is the maximum.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxUint64 // unknown: only the setting bounds
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
