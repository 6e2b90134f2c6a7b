package reserve

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPendingTransfersEnd: when the transfer is settled, or when its epoch is over. Those of other SKUs stay.
func TestPendingTransfersEnd(t *testing.T) {
	p := pendingTransfers{}
	p.add(1, "gone", pendingTransfer{from: 0, epoch: 3, moved: 1})
	p.add(1, "gone", pendingTransfer{from: 0, epoch: 3, moved: 2})
	p.add(0, "gone", pendingTransfer{from: 1, epoch: 1, moved: 9})
	p.add(1, "another", pendingTransfer{from: 0, epoch: 3, moved: 1})
	s := quiet()
	require.True(t, p.on(1, goneColumn, s))
	require.Equal(t, []pendingTransfer{{from: 0, epoch: 3, moved: 2}}, p[receivingShelf{1, "gone"}])
	require.False(t, p.on(0, goneColumn, s))
	require.False(t, p.on(1, leftColumn, s))
	s.counters[0].Shelves[goneColumn].MovedEpoch = 2
	require.False(t, p.on(1, goneColumn, s))
	s.counters[1].Shelves[goneColumn].GivenEpoch = 2
	require.True(t, p.on(1, goneColumn, s), "settled, and not applied to Redis")
	require.Len(t, p, 1)
}
