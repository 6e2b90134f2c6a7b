//go:build !unix

package doctor

import "math"

// descriptorLimit is unknown here.
func descriptorLimit() uint64 { return math.MaxUint64 }
