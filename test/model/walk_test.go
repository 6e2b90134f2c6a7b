package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWalks: with everything at once no random walk breaks the promise, and each reaches rest.
func TestWalks(t *testing.T) {
	for _, named := range Rich() {
		t.Run(named.Name, func(t *testing.T) {
			t.Parallel()
			result := Walk(named.Setup, Walks{Seed: 1, Count: 750})
			require.Empty(t, result.Broken, strings.Join(result.Trace, "\n"))
			require.Greater(t, result.Rests, int64(375))
			t.Logf("%s\n%s", named.Setup.String(), result.String())
		})
	}
}

// TestWalksFindBreaches: a walk without a rule breaks the promise as a search does, and its seed repeats the trace.
func TestWalksFindBreaches(t *testing.T) {
	for _, rule := range []Rule{StateCompared, KeyAnswersOnce, TrimExact, StockGuard, OutboxAbsorbed, ReleaseKnown} {
		setup := Rich()[4].Setup
		setup.Off = Without(rule)
		first := Walk(setup, Walks{Seed: 7, Count: 5000})
		require.NotEmpty(t, first.Broken, rule.String())
		require.NotEmpty(t, first.Trace)
		second := Walk(setup, Walks{Seed: 7, Count: 5000})
		require.Equal(t, first.Trace, second.Trace)
	}
	for _, rule := range []Rule{LinesWhole, SaleLimit, KeyOfSale, FoundLowersLoaded, TakeAbsorbed, ChangeOnce} {
		setup := Rich()[1].Setup
		setup.Off = Without(rule)
		require.NotEmpty(t, Walk(setup, Walks{Seed: 7, Count: 5000}).Broken, rule.String())
	}
	setup := again()
	setup.After = []string{"[0] the moon falls"}
	require.Contains(t, string(Walk(setup, Walks{Count: 1}).Broken), "no step")
}
