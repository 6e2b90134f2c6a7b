//go:build !unix

package app

import "math"

// descriptorLimit returns the largest value: this system has no such limit.
func descriptorLimit() uint64 { return math.MaxUint64 }
