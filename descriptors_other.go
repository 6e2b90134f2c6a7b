//go:build !unix

package main

import "math"

// descriptorLimit: the system has no such limit.
func descriptorLimit() uint64 { return math.MaxUint64 }
