package protocol

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPromiseHolds explores every small setup whole.
func TestPromiseHolds(t *testing.T) {
	var states int64
	for _, named := range Small() {
		result := Search(named.Setup, Bounds{})
		t.Logf("%-22s %s\n%22s %s", named.Name, named.Setup.String(), "", result.String())
		require.Empty(t, result.Broken, strings.Join(result.Trace, "\n"))
		require.True(t, result.Whole)
		require.Zero(t, result.Cut, "the bounds of a state hide something")
		require.Positive(t, result.Rests)
		states += result.States
	}
	t.Logf("%d states in all", states)
}

// enough states to find every breach; the searches stop where they find it.
const enough = 200_000

// TestEveryRuleIsNeeded switches each rule off: the promise breaks, and it does not break without what is off besides.
func TestEveryRuleIsNeeded(t *testing.T) {
	shown := map[Rule]bool{DuplicateIsWhole: true} // TestDuplicateIsWhole
	for _, b := range Breaches() {
		shown[b.Rule] = true
		setup := b.Setup
		setup.Off = Without(append(b.Besides, b.Rule)...)
		result := Search(setup, Bounds{States: enough})
		require.NotEmpty(t, result.Broken, "without %s nothing breaks in %s", b.Rule, setup.String())
		require.NotEmpty(t, result.Trace)
		t.Logf("without %-27s after %2d steps: %s", b.Rule, len(result.Trace), result.Broken)
		setup.Off = Without(b.Besides...)
		holds := Search(setup, Bounds{States: enough})
		require.Empty(t, holds.Broken, "with %s, without %v", b.Rule, b.Besides)
	}
	for _, r := range Spare() {
		shown[r] = true
	}
	for _, r := range Rules() {
		require.True(t, shown[r], "nothing shows what %s is for", r)
	}
}

// TestSpareRules: a rule that is said to be a second belt is one in the small setups.
func TestSpareRules(t *testing.T) {
	setup := three().With(Rewind, Takeover)
	setup.Off = Without(Spare()...)
	result := Search(setup, Bounds{})
	require.True(t, result.Whole, result.String())
}

// TestTraceIsShortest: a breach that one call shows is told in its one step.
func TestTraceIsShortest(t *testing.T) {
	setup := twin().With(Transfer)
	setup.Off = Without(CreditThroughOutbox)
	result := Search(setup, Bounds{})
	require.Equal(t, "redis holds more units than were loaded", string(result.Broken))
	require.Contains(t, result.Trace[0], "a transfer leaves redis: transfer of 1 (epoch 1, sequence 1)")
}

func TestBounds(t *testing.T) {
	result := Search(pair().With(Rewind, Cancel), Bounds{States: 1000})
	require.False(t, result.Whole)
	require.Empty(t, result.Broken)
	require.InDelta(t, 1000, result.States, 400)
	result = Search(pair().With(Rewind, Cancel, Unknown), Bounds{Until: time.Millisecond})
	require.False(t, result.Whole)
	require.Contains(t, result.String(), "in part")
}

func TestNames(t *testing.T) {
	for _, r := range Rules() {
		parsed, err := ParseRule(r.String())
		require.NoError(t, err)
		require.Equal(t, r, parsed)
	}
	_, err := ParseRule("no-such-rule")
	require.Error(t, err)
	faults, err := ParseFaults("rewind+false-alarm")
	require.NoError(t, err)
	require.Equal(t, []Fault{Rewind, FalseAlarm}, faults)
	_, err = ParseFaults("rewind+nothing")
	require.Error(t, err)
	shape := Shapes()["pair"].With(Rewind)
	require.Equal(t, "1 bucket(s) of 2, limit 1, batches of 2, presses 1k1+1k1 1; rewind×1", shape.String())
}
