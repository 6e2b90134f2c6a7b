package check

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

const seeds = 60

// A shop that keeps its promises is never accused, whatever the seed.
func TestGoodHistoriesPass(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newShop(seed)
		result := Judge(s.Evidence)
		require.Empty(t, result.Faults, "seed %d", seed)
		require.Positive(t, result.Counts["promises"])
		linear := Linearizable(s.Evidence)
		require.Empty(t, linear.Faults, "seed %d", seed)
		require.Zero(t, linear.Undecided, "seed %d", seed)
		require.Positive(t, linear.Passed)
	}
}

// units are lines of one SKU.
func units(sku string, quantity int) []history.Line {
	return []history.Line{{SKU: sku, Quantity: quantity}}
}

// Every breach is found by the check that is there for it, in nearly every history.
func TestEveryLieIsCaught(t *testing.T) {
	for _, l := range slices.Concat(breaches, changeBreaches, holdBreaches) {
		t.Run(l.name, func(t *testing.T) {
			committed := 0
			for seed := range uint64(seeds) {
				s := newShop(seed)
				if !l.commit(s) {
					continue
				}
				committed++
				faults := Judge(s.Evidence).Faults
				if l.caughtBy == "linearizable" {
					faults = Linearizable(s.Evidence).Faults
				}
				require.True(t, slices.ContainsFunc(faults, func(f Fault) bool { return f.Check == l.caughtBy }),
					"seed %d: not caught by %q: %v", seed, l.caughtBy, faults)
			}
			assert.Greater(t, committed, seeds/3)
		})
	}
}

// Each promise has a breach that it catches.
func TestEveryCheckIsTested(t *testing.T) {
	for _, name := range append(Promises(), "linearizable") {
		catches := func(l breach) bool { return l.caughtBy == name }
		assert.True(t, slices.ContainsFunc(slices.Concat(breaches, changeBreaches, holdBreaches), catches), name)
	}
}

// A Redis that went back may take something under a closed epoch, as long as it is refused in the end.
func TestALossExcusesWhatWasRefused(t *testing.T) {
	found := func(status string, lossUS int64) bool {
		e := &Evidence{Sales: map[string]Sale{"s": {}},
			Rows:    []Row{{Order: "1", Sale: "s", Lines: units("a", 1), Status: status, CreatedMS: 50}},
			Batches: []Batch{{Sale: "s", Epoch: 1, CreatedMS: 50, Orders: []string{"1"}}},
			Epochs:  []EpochSeen{{"s", 0, 1, 10_000}, {"s", 0, 2, 40_000}},
			Losses:  []Span{{FromUS: lossUS, ToUS: lossUS + 10_000}},
		}
		r := &report{counts: map[string]int{}}
		checkEpochs(e, r)
		return len(r.faults) > 0
	}
	require.False(t, found("refused", 45_000))
	require.True(t, found("confirmed", 45_000), "it counts")
	require.True(t, found("refused", 60_000), "nothing was lost then")
}
