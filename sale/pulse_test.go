package sale

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbers(t *testing.T) {
	for n, text := range map[Number]string{0: "0", 1.5: "1.5", 12.34567: "12.346", -2: "-2", 1e9: "1000000000"} {
		encoded, err := json.Marshal(n)
		require.NoError(t, err)
		require.Equal(t, text, string(encoded))
	}
	for _, n := range []Number{Unknown(), Number(math.Inf(1))} {
		encoded, err := json.Marshal([]Number{n})
		require.NoError(t, err)
		require.Equal(t, "[null]", string(encoded))
	}
	var read []Number
	require.NoError(t, json.Unmarshal([]byte("[null,2.5]"), &read))
	require.False(t, read[0].Known())
	require.InDelta(t, 2.5, float64(read[1]), 0)
	require.Error(t, json.Unmarshal([]byte(`["x"]`), &read))
}

// The estimates of a histogram are those of Prometheus for the same counts.
func TestQuantiles(t *testing.T) {
	require.False(t, Latency(nil).QuantileMS(.5).Known())
	require.False(t, make(Latency, LatencyBuckets).QuantileMS(.5).Known())
	l := make(Latency, LatencyBuckets)
	l[0] = 50 // up to 0.05 ms
	l[6] = 40 // 2.5 to 5 ms
	l[7] = 10 // 5 to 10 ms
	require.InDelta(t, .025, float64(l.QuantileMS(.25)), 1e-9)
	require.InDelta(t, .05, float64(l.QuantileMS(.5)), 1e-9)
	require.InDelta(t, 3.75, float64(l.QuantileMS(.7)), 1e-9)
	require.InDelta(t, 9.5, float64(l.QuantileMS(.99)), 1e-9)
	l[LatencyBuckets-1] = 1000
	require.InDelta(t, 30_000, float64(l.QuantileMS(.99)), 1e-9, "no more than the highest bound is known")
}

func TestLatencySince(t *testing.T) {
	before, now := make(Latency, LatencyBuckets), make(Latency, LatencyBuckets)
	before[3], now[3], now[5] = 7, 9, 4
	grown := now.Since(before)
	require.Equal(t, int64(2), grown[3])
	require.Equal(t, int64(4), grown[5])
	require.Equal(t, before, before.Since(now), "it has begun anew")
	require.Equal(t, now, now.Since(nil))
	require.Equal(t, now, now.Add(Latency{1, 2, 3}), "of another version")
	require.Equal(t, now, Latency(nil).Add(now))
	require.Equal(t, int64(16), now.Add(before)[3])
	require.Equal(t, int64(9), now[3], "the summands stay")
}

func TestPulseIsReadAsItWasWritten(t *testing.T) {
	waiting, oldest := int64(3), 1.25
	p := Pulse{
		Process: "host/1/ab", Role: ProcessSettle, Version: "v1", Started: TimeMillis(1e12), At: TimeMillis(1e12 + 5),
		Waiting: map[string]string{"kafka": "away"},
		Settle:  &SettlePulse{LagRecords: 4, Rows: 5, EventsWaiting: &waiting, OldestJournalS: &oldest},
	}
	encoded, err := json.Marshal(p)
	require.NoError(t, err)
	var read Pulse
	require.NoError(t, json.Unmarshal(encoded, &read))
	require.Equal(t, p, read)
	require.Equal(t, "settle:host/1/ab", read.Name())
	require.False(t, (&Rates{}).RefusedTotal().Known())
	require.InDelta(t, 5, float64((&Rates{RefusedPerS: map[string]Number{"a": 2, "b": 3}}).RefusedTotal()), 0)
}
