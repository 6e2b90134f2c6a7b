package loadtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeadlineIsNeverEarlyAndSeldomNew(t *testing.T) {
	distinct := map[time.Time]bool{}
	for i := range 1000 {
		now := testNow.Add(time.Duration(i) * time.Millisecond)
		got := deadline(now, 10*time.Second)
		require.GreaterOrEqual(t, got.Sub(now), 10*time.Second)
		require.LessOrEqual(t, got.Sub(now), 10*time.Second+100*time.Millisecond)
		distinct[got] = true
	}
	require.LessOrEqual(t, len(distinct), 11)
	require.Equal(t, testNow.Add(2), deadline(testNow, 1), "a timeout too short to be rounded")
}
