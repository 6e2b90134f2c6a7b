package loadtest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A latency's bin contains it, and the bins follow each other without a gap.
func TestEveryLatencyHasItsBin(t *testing.T) {
	for bin := range binCount - 1 {
		from, to := int64(binStart(bin)), int64(binStart(bin+1))
		if bin == 0 {
			require.Equal(t, 1, binOf(0), "no latency is shorter than 1 µs")
			continue
		}
		require.Equal(t, bin, binOf(from))
		require.Equal(t, bin, binOf(to-1))
		require.LessOrEqual(t, float64(to-from), max(1, float64(from)/8), "bin %d", bin)
	}
	require.Equal(t, binCount-1, binOf(math.MaxInt64))
	require.Equal(t, 1, binOf(-5))
}

// A quantile differs from the exact one by at most the half of a bin.
func TestQuantilesOfATimeline(t *testing.T) {
	var b latencyBins
	require.True(t, math.IsNaN(b.quantile(0.5)))
	for us := range int64(10_000) {
		b.record(us + 1)
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		require.InEpsilon(t, q*10, b.quantile(q), 0.07)
	}
	require.EqualValues(t, 10_000, b.total())
}

// However long a rush lasts, nothing is lost and the slots stay bounded.
func TestATimelineKeepsItsBound(t *testing.T) {
	timeline, random := newTimeline(), rand.New(rand.NewPCG(1, 2))
	const answers = 5000
	for i := range answers {
		at := time.Duration(i) * 3 * time.Hour / answers
		code := []string{"queued", "sold_out"}[i%2]
		told := &Told{Code: code, Status: 202, LatencyUS: 1 + random.Int64N(1000)}
		timeline.count(told, at-time.Millisecond, at)
		require.LessOrEqual(t, len(timeline.slots), timelineSlots)
	}
	var sum slot
	sum.codes = map[string]int64{}
	for i := range timeline.slots {
		sum.add(&timeline.slots[i])
	}
	require.EqualValues(t, answers, sum.sent)
	require.EqualValues(t, answers, sum.answered)
	require.EqualValues(t, answers, sum.latency.total())
	require.Equal(t, map[string]int64{"queued": answers / 2, "sold_out": answers / 2}, sum.codes)
	require.Greater(t, timeline.step*timelineSlots, 3*time.Hour)
	require.Greater(t, len(timeline.slots), timelineSlots/2)
}

// An order that a buyer is told twice is one order; an attempt without an answer was sent and not answered.
func TestATimelineCountsOrdersOnce(t *testing.T) {
	timeline := newTimeline()
	first := Told{Code: "queued", Status: 202, orderID: 7, LatencyUS: 500}
	again := Told{Code: "replayed", Status: 200, orderID: 7, LatencyUS: 500}
	cut := Told{Code: CodeNoAnswer, LatencyUS: 10_000_000}
	timeline.count(&first, 0, time.Millisecond)
	timeline.count(&again, 150*time.Millisecond, 250*time.Millisecond)
	timeline.count(&cut, 150*time.Millisecond, 350*time.Millisecond)
	require.Len(t, timeline.slots, 4)
	require.EqualValues(t, 1, timeline.slots[0].orders)
	require.Zero(t, timeline.slots[2].orders)
	require.EqualValues(t, 2, timeline.slots[1].sent)
	require.EqualValues(t, 1, timeline.slots[2].answered)
	require.Zero(t, timeline.slots[3].answered)
}
