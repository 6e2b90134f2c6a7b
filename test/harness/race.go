//go:build race

package harness

// Race reports whether the race detector is compiled in.
const Race = true
