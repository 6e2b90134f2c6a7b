//go:build !unix

package app

import "math"

// descriptorLimit: the system has no such limit.
func descriptorLimit() uint64 { return math.MaxUint64 }
