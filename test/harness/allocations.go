package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// NoAllocations requires that a run of f allocates nothing. Under the race detector it only runs f: there a sync.Pool forgets
// at random.
func NoAllocations(t testing.TB, runs int, f func(), what ...any) {
	t.Helper()
	if allocations := testing.AllocsPerRun(runs, f); !Race {
		require.Zero(t, allocations, what...)
	}
}
