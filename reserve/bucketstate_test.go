package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
)

// A buyer who was told queued never reads held afterwards, although the entry stays in the journal until it is trimmed.
func TestQueuedNeverReadsHeldAgain(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 100, 1)
	journaled := 0
	for _, buyer := range buyers("buyer", 40) {
		p := w.purchase(b, buyer)
		p.Key = "key"
		require.Equal(t, sale.OutcomeQueued, w.engine.Reserve(p).Outcome)
		if w.reading(b).JournalOrders > 0 {
			journaled++
		}
		holdings, err := w.engine.Holdings(context.Background(), b, buyer)
		require.NoError(t, err)
		require.Len(t, holdings, 1)
		require.Equal(t, sale.StatusQueued, holdings[0].Status)
		replay := w.engine.Reserve(p)
		require.Equal(t, sale.OutcomeReplayed, replay.Outcome)
		require.Equal(t, sale.StatusQueued, replay.Status)
	}
	require.Positive(t, journaled, "every entry was trimmed before its answer: nothing was tested")
}

// An acknowledged write is remembered until ackedMemory after its trim.
func TestAckedWritesFade(t *testing.T) {
	now := time.Now()
	a := ackedWrites{
		{Epoch: 1, Sequence: 1}: {},
		{Epoch: 1, Sequence: 2}: now.Add(-ackedMemory - time.Second),
		{Epoch: 1, Sequence: 3}: now,
	}
	a.fade(now)
	require.Contains(t, a, scripts.WriteID{Epoch: 1, Sequence: 1})
	require.NotContains(t, a, scripts.WriteID{Epoch: 1, Sequence: 2})
	require.Contains(t, a, scripts.WriteID{Epoch: 1, Sequence: 3})
}
