//go:build !faults

package faults

import "testing"

// A normal build ignores the environment.
func TestANormalBuildHasNoFaults(t *testing.T) {
	t.Setenv("FLASHSALE_CRASH_POINT", "a.b")
	Point("a.b") // would be the end of this process
}
