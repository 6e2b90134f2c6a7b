package protocol

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A small search stays within this many states; longer ones are the command's.
const smallStates = 40_000

// With every rule on, nothing is broken in any of the small setups, as far as the bound reaches.
func TestProtocolHolds(t *testing.T) {
	for _, n := range Small() {
		t.Run(n.Name, func(t *testing.T) {
			result := Search(n.Setup, Bounds{States: smallStates})
			t.Log(result.String())
			assert.Empty(t, result.Broken, "%v", result.Trace)
			assert.Positive(t, result.Rests)
		})
	}
}

// needed are the rules of which a small search shows what happens without them.
var needed = []Rule{
	StateCompared, SequenceCompared, EpochFromDatabase, SameIDsAskedAgain, KeyAnswersOnce, KeyAnswersAfterRelease,
	ReleasedCountsNot, TrimExact, MarkerHasBatchID, LateIsRefused, GuardWithReleased, StockGuard, KeyOnceInBooks,
	RedisClosedFirst, JournalPublished, FencePassed, BeginIfClosed, JournalNotCounted, OutboxAbsorbed, ReleaseInEpoch,
	CreditThroughOutbox, WholeSKU, SoldOutByBooks,
}

func TestEveryNeededRuleFailsWhenOff(t *testing.T) {
	for _, rule := range needed {
		t.Run(rule.String(), func(t *testing.T) {
			assert.NotEmpty(t, brokenWithout(rule), "no small setup misses the rule")
		})
	}
}

// brokenWithout returns the first small setup that is broken without a rule.
func brokenWithout(rule Rule) string {
	for _, n := range Small() {
		n.Off = Without(rule)
		if result := Search(n.Setup, Bounds{States: smallStates}); result.Broken != "" {
			return n.Name
		}
	}
	return ""
}
