package recovery

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/fakes"
)

func TestTheFullestJournalCounts(t *testing.T) {
	w := newWorld(t, impatient)
	a, b := w.Stock("phone", 50, 1), w.Stock("watch", 50, 1)
	var watched []Watched
	journals := NewJournals(w.Redis, func(time.Time) []Watched { return watched })
	fullest := func() int64 {
		t.Helper()
		orders, err := journals.Fullest(context.Background())
		require.NoError(t, err)
		return orders
	}
	require.Zero(t, fullest(), "there is no bucket")
	watched = []Watched{{BucketRow: w.DB.Row(a)}, {BucketRow: w.DB.Row(b)}}
	require.Zero(t, fullest())
	w.Kafka.GoAway()
	for _, buyer := range fakes.Buyers("left", 3) {
		w.Buy(a, buyer)
	}
	for _, buyer := range fakes.Buyers("right", 5) {
		w.Buy(b, buyer)
	}
	require.EqualValues(t, 5, fullest())

	journals.turns.most = 1 // one bucket a reading: the count of the other one stays
	for range 4 {
		require.EqualValues(t, 5, fullest())
	}
	watched = watched[:1]
	require.EqualValues(t, 3, fullest(), "buckets that are not watched any more are forgotten")
	require.Len(t, journals.orders, 1)
}
