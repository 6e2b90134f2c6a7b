package reserve

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Journaled finds a held order in its bucket's journal, however many pages precede it, and in no other journal.
func TestJournaledFindsWhatIsHeld(t *testing.T) {
	w := newWorld(t, impatient)
	b, other := w.Stock("phone", 2_000, 1), w.Stock("case", 10, 1)
	before := w.Buy(b, "early")
	w.Kafka.GoAway()
	held := w.Buy(b, "late")
	require.Equal(t, sale.OutcomeHeld, held.Outcome)
	look := func(id sale.OrderID, buckets ...sale.Bucket) (sale.PendingOrder, bool) {
		t.Helper()
		found, ok, err := w.engine.Journaled(t.Context(), buckets, id)
		require.NoError(t, err)
		return found, ok
	}
	found, ok := look(held.OrderID, other, b)
	require.True(t, ok)
	require.Equal(t, sale.PendingOrder{
		Bucket: b, RecordOrder: sale.RecordOrder{OrderID: held.OrderID, Lines: found.Lines, Buyer: "late"},
		CreatedMS: held.CreatedAt.UnixMilli(), Status: sale.StatusHeld,
	}, found)
	require.True(t, sale.SameLines(w.Purchase(b, "late").Lines, found.Lines))
	_, ok = look(held.OrderID, other)
	require.False(t, ok, "another bucket's")
	if found, ok = look(before.OrderID, b); ok { // acknowledged, and trimmed with the next batch
		require.Equal(t, sale.StatusQueued, found.Status)
	}
	_, ok = look(1, b)
	require.False(t, ok)
}

// When a journal is too long to be searched, Journaled does not say that the order is missing.
func TestJournaledIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	record := string(sale.AppendFence(nil, "f"))
	for i := range searchEntries + 1 {
		w.Do("XADD", w.Redis.Keys(b).Journal, strconv.Itoa(10_000_000_001+i)+"-5", "r", record)
	}
	var problem sale.Problem
	_, _, err := w.engine.Journaled(t.Context(), []sale.Bucket{b}, 1)
	require.ErrorAs(t, err, &problem)
	require.Equal(t, sale.OutcomeOverloaded.String(), problem.Code)
}
