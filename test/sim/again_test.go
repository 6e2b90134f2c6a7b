//go:build !race

package sim

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Most sales run again in exactly the same way: a seed that is printed is worth something. (The race detector shuffles what
// runs next, so that nothing runs again the same way under it.)
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
