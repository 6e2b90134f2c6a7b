//go:build !faults

package faults

// Point does nothing in this build. Built with the tag faults it may kill the process.
func Point(string) {}
