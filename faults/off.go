//go:build !faults

package faults

// Built says that this is a build of the fault tests.
const Built = false

// Point is where the process can be made to die. In this build it never does.
func Point(string) {}

// Bug reports whether the process runs with a seeded bug. In this build it never does.
func Bug(string) bool { return false }
