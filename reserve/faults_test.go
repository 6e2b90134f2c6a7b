package reserve

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// The relay publishes the records beyond the bound: the answer is held, and the engine keeps no record in memory.
func TestTooManyUnackedBytesAreLeftToTheRelay(t *testing.T) {
	w := newWorld(t, impatient)
	b := w.Stock("phone", 10, 1)
	require.True(t, w.engine.unacked.reserve(maxUnackedBytes))
	before := len(w.Kafka.Attempted())
	require.Equal(t, sale.OutcomeHeld, w.Buy(b, "anna").Outcome)
	require.Len(t, w.Kafka.Attempted(), before)
	w.engine.unacked.release(maxUnackedBytes)
	w.Rebuild(w.DB.Row(b))
	require.Equal(t, int64(1), w.DB.Settled(b))
}

// A batch drops the purchases that waited too long for it and keeps the others.
func TestBatchWorkerDropsStalePurchases(t *testing.T) {
	w := &batchWorker{queue: &bucketQueue{}}
	now := time.Now()
	fill := func(ages ...time.Duration) {
		w.batch = nil
		for _, age := range ages {
			w.batch = append(w.batch, &request{arrivedAt: now.Add(-age), done: make(chan struct{}, 1)})
		}
		w.oldest = w.batch[0].arrivedAt
	}
	fill(2*queueWait, 2*queueWait, 0)
	stale := append([]*request(nil), w.batch[:2]...)
	require.True(t, w.dropStale())
	require.Len(t, w.batch, 1)
	require.Equal(t, now, w.oldest)
	for _, r := range stale {
		<-r.done
		require.Equal(t, sale.OutcomeUnavailable, r.answer.Outcome)
	}
	fill(2 * queueWait)
	require.False(t, w.dropStale())
}

// The scan of the owners ends with the first error of its callback.
func TestOwnersStops(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	require.Equal(t, 3, fakes.Outcomes(w.BuyAll(b, fakes.Buyers("buyer", 3)))["queued"])
	enough, calls := errors.New("enough"), 0
	require.ErrorIs(t, w.engine.Owners(context.Background(), b, func(string, []int) error { calls++; return enough }), enough)
	require.Equal(t, 1, calls)
}
