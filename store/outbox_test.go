package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

// done reports that Redis has applied a bucket's rows.
func done(t testing.TB, s *Store, bucket sale.Bucket, epoch, number, sequence int64) {
	t.Helper()
	require.NoError(t, s.OutboxDone(t.Context(),
		[]sale.Applied{{Bucket: bucket, Epoch: epoch, Number: number, Sequence: sequence}}))
}

// released settles and cancels n orders, one outbox row each.
func released(t testing.TB, s *Store, bucket sale.Bucket, sequence int64, n int) []sale.RecordOrder {
	t.Helper()
	orders := crowd(n)
	settle(t, s, batch(bucket, countersOf(t, s, bucket).Epoch, sequence, orders...))
	for _, o := range orders {
		cancel(t, s, o.OrderID)
	}
	return orders
}

func TestOutboxIsNumberedWithoutGaps(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		for sequence := range int64(3) {
			released(t, s, bucket, sequence+1, 2)
			done(t, s, bucket, 1, 2*sequence+1, 20+sequence)
		}
		rows := waiting(t, s, bucket)
		require.Len(t, rows, 1)
		require.EqualValues(t, 6, rows[0].Number)
		b := countersOf(t, s, bucket)
		require.EqualValues(t, 6, b.GivenEpoch, "applied or not")
		require.EqualValues(t, 22, b.Sequence)
	})
}

func TestOutboxDoneMayBeRepeated(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		released(t, s, bucket, 1, 3)
		applied := []sale.Applied{{Bucket: bucket, Epoch: 1, Number: 2, Sequence: 9},
			{Bucket: bucket, Epoch: 1, Number: 1, Sequence: 8}}
		for range 2 {
			require.NoError(t, s.OutboxDone(t.Context(), applied))
			require.Len(t, waiting(t, s, bucket), 1)
			b := countersOf(t, s, bucket)
			require.EqualValues(t, 9, b.Sequence)
			require.Equal(t, sale.BucketOpen, b.State)
			require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM batches"), "a marker for each write")
			require.Zero(t, count(t, s, "SELECT COUNT(*) FROM forks"))
		}
		require.NoError(t, s.OutboxDone(t.Context(), nil))
		unknown := sale.Applied{Bucket: sale.Bucket{Sale: "x"}, Epoch: 1, Number: 2, Sequence: 9}
		require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{unknown}))
	})
}

// The write of outbox rows and a batch have one sequence, because Redis lost writes: it is a fork in either order.
func TestForkOfAnOutboxWrite(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		released(t, s, bucket, 1, 2)
		done(t, s, bucket, 1, 1, 1)
		require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State, "the batch was first")
		require.Equal(t, ledger.ClosedByFork, reason(t, s))
		reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})

		released(t, s, bucket, 1, 1)
		done(t, s, bucket, 2, 3, 2)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
		forked := settle(t, s, batch(bucket, 2, 2, crowd(1)...))
		require.Equal(t, sale.Settlement{Rows: 1, Closed: []sale.Bucket{bucket}}, forked, "the batch is second")
	})
}

func reason(t testing.TB, s *Store) string {
	t.Helper()
	var reason string
	require.NoError(t, s.db.QueryRow("SELECT closed_reason FROM buckets").Scan(&reason))
	return reason
}

// A rebuild absorbs the rows of older epochs; a late report about them changes nothing.
func TestOutboxIsAbsorbedByARebuild(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		other := selling(t, s, draft("other", 1, item("phone", 10)))[0].Bucket
		released(t, s, bucket, 1, 3)
		released(t, s, other, 1, 1)
		closed, err := s.CloseBuckets(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		loads, err := s.BeginLoads(t.Context(), closed)
		require.NoError(t, err)
		require.EqualValues(t, 100, loads[0].Stock[0].Available)
		require.EqualValues(t, 3, loads[0].Outbox, "Redis must not take an older row for a new one")
		require.Empty(t, waiting(t, s, bucket))
		require.Len(t, waiting(t, s, other), 1)
		require.Zero(t, countersOf(t, s, bucket).GivenEpoch)
		done(t, s, bucket, 1, 3, 9)
		require.Zero(t, countersOf(t, s, bucket).Sequence)
		require.Equal(t, 2, count(t, s, "SELECT COUNT(*) FROM batches"))
	})
}

// A bucket that cannot be reached keeps no other waiting: the first rows of every bucket are returned.
func TestOutboxIsFair(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(4, draft("wide", 1, item("phone", 1000))))
		released(t, s, rows[0].Bucket, 1, 30)
		for _, row := range rows[1:] {
			released(t, s, row.Bucket, 1, 2)
		}
		page, err := s.Outbox(t.Context(), 12)
		require.NoError(t, err)
		got := map[int][]int64{}
		for _, row := range page {
			got[row.Bucket.Number] = append(got[row.Bucket.Number], row.Number)
		}
		require.Equal(t, map[int][]int64{0: {1, 2, 3}, 1: {1, 2}, 2: {1, 2}, 3: {1, 2}}, got)
		seen := map[int]bool{}
		for range 100 {
			page, err = s.Outbox(t.Context(), 2)
			require.NoError(t, err)
			require.Len(t, page, 2)
			seen[page[0].Bucket.Number], seen[page[1].Bucket.Number] = true, true
		}
		require.Len(t, seen, 4, "chance picks, where not all fit")
	})
}

// Rows of many orders: an answer holds few of them, and at least one.
func TestOutboxIsBounded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10_000, 1)
		for sequence := range int64(6) {
			unpaid(t, s, bucket, sequence+1, ledger.MaxReleased)
			require.Equal(t, ledger.MaxReleased, expireDue(t, s, ledger.MaxReleased))
		}
		page, err := s.Outbox(t.Context(), 1000)
		require.NoError(t, err)
		require.Len(t, page, ledger.MaxPage/ledger.MaxReleased)
		require.Len(t, page[0].Orders, ledger.MaxReleased)
		_, err = s.db.Exec("UPDATE outbox SET size = 1000000 WHERE number = 1")
		require.NoError(t, err)
		page, err = s.Outbox(t.Context(), 1000)
		require.NoError(t, err)
		require.Len(t, page, 1)
	})
}

func TestGarbledOutbox(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		released(t, s, bucket, 1, 1)
		_, err := s.db.Exec("UPDATE outbox SET body = 'who knows'")
		require.NoError(t, err)
		_, err = s.Outbox(t.Context(), 10)
		require.ErrorContains(t, err, "row 1 of bucket eleven:0")
		outbox, _, err := s.CountWaiting(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, outbox, "it waits and is counted")
	})
}

func TestOutboxBody(t *testing.T) {
	long := lined(strings.Repeat("x", 64), units("a.b-C_d", 100), units("p", 1))
	rows := []sale.OutboxRow{
		{Kind: sale.OutboxRelease, Orders: given(one("a.b_c:d@e|f+g-h", 2), long)},
		{Kind: sale.OutboxRefusal, Orders: given(long)},
		{Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{{SKU: "A", Units: sale.MaxStock, Number: 9, Limit: 3}, {SKU: "b"}}},
		{Kind: sale.OutboxTake, Lines: []sale.OutboxLine{{SKU: "A", Units: 1, Number: 10_000, Limit: 100}}},
	}
	for _, row := range rows {
		read := sale.OutboxRow{Kind: row.Kind}
		require.NoError(t, readBody(&read, outboxBody(&row)))
		require.Equal(t, row, read)
	}
	for kind, texts := range map[sale.OutboxKind][]string{
		sale.OutboxRelease: {"1 p:1:2\n", "1 x ann\n", "\n", "x p:1:2 ann\n", "1 p:1:2 ann bob\n"},
		sale.OutboxCredit:  {"a 1 2\n", "a 1 2 3 4\n", "\n", "a x 2 3\n"},
	} {
		for _, garbled := range texts {
			require.Error(t, readBody(&sale.OutboxRow{Kind: kind}, garbled), "%s %q", kind, garbled)
		}
	}
}

func TestBucketCounters(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(4, draft("wide", 1, item("phone", 1000))))
		settle(t, s, batch(rows[2].Bucket, 1, 7, crowd(3)...))
		asked := []sale.Bucket{rows[3].Bucket, rows[2].Bucket, rows[3].Bucket}
		got, err := s.BucketCounters(t.Context(), asked)
		require.NoError(t, err)
		require.Len(t, got, 3)
		for i, bucket := range asked {
			require.Equal(t, countersOf(t, s, bucket).BucketCounters, got[i])
		}
		require.EqualValues(t, 7, got[1].Sequence)
		_, err = s.BucketCounters(t.Context(), append(asked, sale.Bucket{Sale: "x"}))
		require.ErrorIs(t, err, sale.ErrNotFound)
		got, err = s.BucketCounters(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	})
}
