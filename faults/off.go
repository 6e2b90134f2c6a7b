//go:build !faults

package faults

// Point is where the process can be made to die. In this build it never does.
func Point(string) {}
