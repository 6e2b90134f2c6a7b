package protocol

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whole explores a setup to its end: no promise breaks, and from every state fair steps lead to rest.
func whole(t *testing.T, s Setup, off ...Rule) Result {
	t.Helper()
	s.Off = Without(off...)
	result := Search(s, Bounds{Heals: true})
	require.Empty(t, result.Broken, "%s\n%s", s.String(), strings.Join(result.Trace, "\n"))
	require.True(t, result.Whole)
	require.Zero(t, result.Cut, "the bounds of a state hide something")
	require.Positive(t, result.Rests)
	return result
}

// TestPromiseHolds explores every small setup whole.
func TestPromiseHolds(t *testing.T) {
	for _, named := range Small() {
		t.Run(named.Name, func(t *testing.T) {
			t.Parallel()
			result := whole(t, named.Setup)
			t.Logf("%s\n%s", named.Setup.String(), result.String())
		})
	}
}

// TestEveryRuleIsNeeded switches each rule off: a promise breaks that holds with it. A rule that is the belt of another
// breaks it with the other off as well, and neither does alone.
func TestEveryRuleIsNeeded(t *testing.T) {
	shown := map[Rule]int{}
	for _, b := range Breaches() {
		shown[b.Rule]++
		t.Run(b.Rule.String(), func(t *testing.T) {
			t.Parallel()
			result := whole(t, b.Setup)
			if len(b.BeltOf) > 0 {
				whole(t, b.Setup, b.Rule)
				whole(t, b.Setup, b.BeltOf...)
			}
			broken := Search(b.Without(), Bounds{})
			require.Equal(t, b.Broken, broken.Broken, "without %s in %s", b.Rule, b.Setup.String())
			require.NotEmpty(t, broken.Trace)
			t.Logf("| %s | %s | %s | %d | %d |", b.Rule, b.Setup.String(), b.Broken, len(broken.Trace), result.States)
		})
	}
	for _, r := range Rules() {
		require.Equal(t, 1, shown[r], "what %s is for is shown once", r)
	}
}

// TestTraceIsShortest: the trace of a breach that one call shows has one step.
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

// TestHistory: a search begins after the steps that its setup names, which are part of the trace.
func TestHistory(t *testing.T) {
	setup := alone(1, 1).With(Cancel)
	setup.After = []string{"[0] calls: order 1", "[0] publishes", "[0] settles"}
	setup.Off = Without(GuardWithReleased)
	require.Contains(t, setup.String(), "after 3 given steps; cancel×1")
	state, labels, err := newExpansion(&setup).followed(setup.start(), setup.After)
	require.NoError(t, err)
	require.Len(t, labels, 3)
	require.EqualValues(t, confirmed, state.status[1])
	whole(t, setup)

	setup = again()
	setup.Off = Without(OrderOnce)
	result := Search(setup, Bounds{})
	require.NotEmpty(t, result.Broken)
	require.Contains(t, result.Trace[1], "the answer is lost")

	setup.After = []string{"[0] the moon falls"}
	require.Contains(t, string(Search(setup, Bounds{}).Broken), `no step "[0] the moon falls" among`)
}

// TestHeals: the search finds a system that never comes to rest, also when it keeps taking steps.
func TestHeals(t *testing.T) {
	w := &search{expansion: newExpansion(&Setup{}), ways: make([]cameFrom, 4), rests: []uint32{1}}
	w.fair = []edge{{0, 1}, {2, 0}, {3, 3}}
	w.heals()
	require.EqualValues(t, 3, w.at)
	require.Equal(t, "never at rest: no way leads to a bucket that sells", string(w.result.Broken))
	w.result.Broken, w.fair = "", append(w.fair, edge{3, 2})
	w.heals()
	require.Empty(t, w.result.Broken)
}

func TestSet(t *testing.T) {
	s := newSetOf(4)
	for number := range uint32(1000) {
		got, fresh := s.add(uint64(number)*7919+1, number)
		require.True(t, fresh)
		require.Equal(t, number, got)
	}
	got, fresh := s.add(7919*500+1, 1)
	require.False(t, fresh)
	require.EqualValues(t, 500, got)
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
