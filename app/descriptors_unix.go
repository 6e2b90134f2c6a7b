//go:build unix

package app

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many descriptors the process may have open. Go has raised the soft limit to the hard one
// before main (package syscall), so that this is the most that can be had.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxUint64 // not known: the setting alone bounds
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
