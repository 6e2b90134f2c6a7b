//go:build !race

package sim

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Most sales have exactly the same history in a second run, so that a printed seed repeats a failure. (Under the race
// detector, which shuffles the scheduler, no run repeats.)
func TestSalesRunAgain(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const tried = 24
	same := 0
	for seed := range uint64(tried) {
		first, _ := run(t, seed)
		second, _ := run(t, seed)
		same += int(oneIf(first.trace.hash() == second.trace.hash()))
	}
	t.Logf("%d of %d sales had the same history", same, tried)
	require.Greater(t, same, tried/4)
}
