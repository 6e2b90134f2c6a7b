package reserve

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Records beyond the bound are left to the relay: the answer is held, and nothing is kept in memory.
func TestTooManyUnackedBytesAreLeftToTheRelay(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.stock("phone", 10, 1)
	require.True(t, w.engine.unacked.reserve(maxUnackedBytes))
	before := len(w.kafka.Attempted())
	require.Equal(t, sale.OutcomeHeld, w.buy(b, "anna").Outcome)
	require.Len(t, w.kafka.Attempted(), before)
	w.engine.unacked.release(maxUnackedBytes)
	w.rebuild(w.db.Row(b))
	require.Equal(t, int64(1), w.db.Settled(b))
}

// A batch drops the purchases that waited too long for it and goes on with the others.
func TestBatchWorkerDropsStalePurchases(t *testing.T) {
	f := &batchWorker{queue: &bucketQueue{}}
	now := time.Now()
	fill := func(ages ...time.Duration) {
		f.batch = nil
		for _, age := range ages {
			f.batch = append(f.batch, &request{arrivedAt: now.Add(-age), done: make(chan struct{}, 1)})
		}
		f.oldest = f.batch[0].arrivedAt
	}
	fill(2*queueWait, 2*queueWait, 0)
	stale := append([]*request(nil), f.batch[:2]...)
	require.True(t, f.dropStale())
	require.Len(t, f.batch, 1)
	require.Equal(t, now, f.oldest)
	for _, r := range stale {
		<-r.done
		require.Equal(t, sale.OutcomeUnavailable, r.answer.Outcome)
	}
	fill(2 * queueWait)
	require.False(t, f.dropStale())
}

// Scanning the owners ends with the first error of whoever listens.
func TestOwnersStops(t *testing.T) {
	w := newWorld(t, nil)
	b := w.stock("phone", 10, 1)
	require.Equal(t, 3, outcomes(w.buyAll(b, buyers("buyer", 3)))["queued"])
	enough, heard := errors.New("enough"), 0
	require.ErrorIs(t, w.engine.Owners(context.Background(), b, func(string) error { heard++; return enough }), enough)
	require.Equal(t, 1, heard)
}
