//go:build !faults

package faults

import "testing"

// A normal build has no faults, whatever the environment asks for.
func TestANormalBuildHasNoFaults(t *testing.T) {
	t.Setenv("FLASHSALE_CRASH_POINT", "a.b")
	t.Setenv("FLASHSALE_BUG", "a-bug")
	Point("a.b") // would be the end of this process
	if Built || Bug("a-bug") {
		t.Error("this build has seeded bugs")
	}
}
