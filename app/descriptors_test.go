package app

import (
	"bytes"
	"log/slog"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBuyersLeaveDescriptorsToTheEngine(t *testing.T) {
	for _, c := range []struct {
		wanted int
		limit  uint64
		want   int
	}{
		{100_000, 1 << 20, 100_000}, {100_000, 101_000, 100_000}, {100_000, 100_999, 99_999}, {100_000, 4096, 3096},
		{100_000, 1024, 24}, {100_000, 1000, 16}, {100_000, 0, 16}, {50, 1024, 24}, {10, 256, 10},
		{100_000, math.MaxUint64, 100_000}, {100_000, math.MaxInt64, 100_000},
	} {
		assert.Equal(t, c.want, buyersConnections(c.wanted, c.limit), "%d of %d", c.wanted, c.limit)
	}
}

// TestTheBoundIsSaid: every start logs the bound, and warns when the process's limit is below the setting.
func TestTheBoundIsSaid(t *testing.T) {
	var log bytes.Buffer
	to := slog.New(slog.NewJSONHandler(&log, nil))
	require.Equal(t, 10, boundConnections(to, 10))
	require.Contains(t, log.String(), `"connections":10`)
	require.NotContains(t, log.String(), "WARN")
	require.Less(t, boundConnections(to, math.MaxInt32), math.MaxInt32, "no process has so many")
	require.Contains(t, log.String(), "WARN")
	require.Contains(t, log.String(), "ulimit -n")
}
