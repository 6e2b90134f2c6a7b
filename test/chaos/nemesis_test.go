package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

// at is a fault of the kind that was in force between two moments.
func at(kind string, from, to int64) struck {
	return struck{fault: fault{kind: kind, kills: 1}, deed: nothing(""), round: 1, span: check.Span{FromUS: from, ToUS: to}}
}

func TestFaultsThatMeetAreCounted(t *testing.T) {
	require.Equal(t, 0, together([]struck{at("a", 0, 10), at("b", 11, 20), at("c", 21, 30)}))
	require.Equal(t, 2, together([]struck{at("a", 0, 10), at("b", 10, 20), at("c", 21, 30)}))
	require.Equal(t, 3, together([]struck{at("a", 0, 30), at("b", 10, 20), at("c", 21, 30)}))
	elsewhere := at("b", 10, 20)
	elsewhere.round = 2 // a case of a crash point, which has a deployment of its own
	require.Zero(t, together([]struck{at("a", 0, 30), elsewhere}))
}

// The first order that was given to a press made after the healing counts, through the gateway that was hit.
func TestTimeToSellAgain(t *testing.T) {
	press := func(gateway int, invoke, back int64, end history.End, status int) history.Op {
		return history.Op{Invoke: invoke, Return: back, Question: history.Question{Verb: history.Buy, Gateway: gateway},
			Answer: history.Answer{End: end, Status: status}}
	}
	ops := []history.Op{
		press(0, 9_000, 12_000, history.OK, 202), // pressed before it was healed
		press(0, 11_000, 13_000, history.Refused, 503),
		press(0, 11_500, 13_500, history.OK, 200), // a key answered again
		press(1, 12_000, 15_000, history.OK, 202),
		press(0, 13_000, 19_000, history.OK, 202),
		{Invoke: 10_500, Return: 11_000, Question: history.Question{Verb: history.Cancel},
			Answer: history.Answer{End: history.OK, Status: 202}},
	}
	all, one, never := at("a", 0, 10_000), at("b", 0, 10_000), at("c", 0, 20_000)
	one.gateway = 0
	log := []struck{all, one, never}
	soldAgain(log, ops)
	assert.Equal(t, 5*time.Millisecond, log[0].again)
	assert.Equal(t, 9*time.Millisecond, log[1].again)
	assert.False(t, log[2].sold)
}

func TestARunEndsWhenBothGoalsAreReached(t *testing.T) {
	n := &nemesis{goal: goal{faults: 2, kills: 3}}
	n.note(at("a", 0, 1))
	n.note(at("b", 0, 1))
	require.False(t, n.reached())
	n.note(at("c", 0, 1))
	require.True(t, n.reached())
	require.Len(t, n.of(1), 3)
	require.Empty(t, n.of(2))
}

func TestOnlySomeKinds(t *testing.T) {
	n := &nemesis{goal: goal{1, 1}, only: "Redis"}
	require.NoError(t, n.possible())
	seen := map[string]bool{}
	for _, l := range lanes {
		h := &hand{nemesis: n, lane: l, random: rand.New(rand.NewPCG(1, 1))}
		for range 500 {
			if h.weights() > 0 {
				seen[h.choose().kind] = true
			}
		}
	}
	require.Len(t, seen, 6)
	require.True(t, seen["Redis failed back to the old primary"])
	require.Equal(t, 1, n.goal.kills)

	n.only = "clock"
	require.NoError(t, n.possible())
	require.Zero(t, n.goal.kills, "nothing that begins so kills")
	n.only, n.goal.kills = "Kafka broker stood", 1
	require.NoError(t, n.possible())
	require.Zero(t, n.goal.kills)
	n.only = "flood"
	require.ErrorContains(t, n.possible(), "flood")
}

// Every kind of fault is drawn, the same ones for the same seed.
func TestChancesComeFromTheSeed(t *testing.T) {
	draw := func(seed uint64) (kinds []string) {
		for i, l := range lanes {
			h := &hand{nemesis: &nemesis{}, lane: l, random: rand.New(rand.NewPCG(seed, uint64(i)))}
			for range 300 {
				kinds = append(kinds, h.choose().kind)
				require.LessOrEqual(t, h.hold(), 5*time.Second)
			}
		}
		return kinds
	}
	first := draw(7)
	require.Equal(t, first, draw(7))
	require.NotEqual(t, first, draw(8))
	for _, l := range lanes {
		for _, f := range l.faults {
			require.Contains(t, first, f.kind)
		}
	}
}

// TestStoresStandStillForEveryHold: a long run holds every store for every length, and only stores for longer than a moment;
// a short one holds Kafka for longer than any client waits.
func TestStoresStandStillForEveryHold(t *testing.T) {
	long, done := &nemesis{long: true}, map[string]bool{}
	for round := range 16 {
		s, there := long.standstillOf(round + 1)
		require.True(t, there)
		done[s.kind+" "+s.hold.String()] = true
	}
	for _, kind := range standing() {
		for _, hold := range []string{"5s", "15s", "40s", "2m0s"} {
			require.Contains(t, done, kind+" "+hold)
		}
	}
	s, there := (&nemesis{}).standstillOf(1)
	require.True(t, there)
	require.Equal(t, "Kafka stood still", s.kind)
	require.Equal(t, 15*time.Second, s.hold)
	_, there = (&nemesis{}).standstillOf(2)
	require.False(t, there)
	_, there = (&nemesis{only: "clock"}).standstillOf(1)
	require.False(t, there)

	longest := map[bool]time.Duration{}
	for _, l := range lanes {
		h := &hand{nemesis: long, lane: l, random: rand.New(rand.NewPCG(1, 1))}
		for range 1000 {
			longest[l.store] = max(longest[l.store], h.hold())
		}
	}
	require.Equal(t, map[bool]time.Duration{true: 2 * time.Minute, false: 5 * time.Second}, longest)
}

func TestOnlyLossesExcuseLostWrites(t *testing.T) {
	kept, lost := at("a", 10, 20), at("b", 30, 40)
	lost.loses = true
	outages, losses := spans([]struck{kept, lost}, nil)
	require.Equal(t, []check.Span{{FromUS: 10, ToUS: 20 + recoveryUS}, {FromUS: 30, ToUS: 40 + recoveryUS}}, outages)
	require.Equal(t, []check.Span{{FromUS: 30, ToUS: 40}}, losses)

	epochs := []check.EpochSeen{{Sale: "s", Epoch: 1, AtUS: 5}, {Sale: "s", Epoch: 2, AtUS: 60},
		{Sale: "s", Epoch: 3, AtUS: 90}, {Sale: "s", Bucket: 1, Epoch: 2, AtUS: 70},
		{Sale: "s", Bucket: 2, Epoch: 2, AtUS: 41 + fencedWithinUS}}
	_, losses = spans([]struck{kept, lost}, epochs)
	require.Equal(t, []check.Span{{FromUS: 30, ToUS: 70}}, losses, "until the last bucket is in its next epoch, within bounds")
}

func TestTable(t *testing.T) {
	good := &outcome{number: 1, struck: []struck{at("gateway killed", 0, 1), at("Redis killed", 5, 6)}}
	good.struck[0].again, good.struck[0].sold = 40*time.Millisecond, true
	bad := &outcome{number: 2, struck: []struck{at("gateway killed", 10, 11)}, closed: []time.Duration{time.Second}}
	bad.struck[0].round, bad.struck[0].again, bad.struck[0].sold = 2, 90*time.Millisecond, true
	bad.result.Faults = []check.Fault{{Check: "limit", Text: "too many"}}
	text := table([]*outcome{good, bad}, 9, "abc", time.Minute)
	require.Contains(t, text, "| gateway killed | 2 | 1 | 90ms | 90ms | 9 |")
	require.Contains(t, text, "| Redis killed | 1 | 0 | 0s | 0s | 9 |")
	require.Contains(t, text, "3 faults in 1m0s (3 a minute), 3 processes killed, 0 faults while another was in force, "+
		"2 rounds, commit abc, 1 violations.")
	require.Contains(t, text, "closed and seen open again 1 times, after 1s (median)")
}
