package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestRebuildSteps(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		wanted := inBuckets(2, draft("eleven", 3, item("phone", 10), item("case", 5)))
		selling(t, s, wanted)
		b0, b1 := sale.Bucket{Sale: "eleven"}, sale.Bucket{Sale: "eleven", Number: 1}
		ann, bob, cat := one("ann", 2), lined("bob", units("case", 1), units("phone", 1)), lined("cat", units("case", 1))
		dan := one("dan", 1)
		ann.Key = "it's a \x7e key"
		settle(t, s, batch(b0, 1, 1, ann, bob), batch(b1, 1, 1, cat))
		settle(t, s, batch(b0, 1, 1, dan)) // a fork, which closes the bucket
		require.Equal(t, sale.BucketClosed, countersOf(t, s, b0).State)

		rows := []sale.BucketRow{
			countersOf(t, s, b1).BucketRow, countersOf(t, s, b0).BucketRow, {Bucket: sale.Bucket{Sale: "x"}},
		}
		closed, err := s.CloseBuckets(ctx, rows)
		require.NoError(t, err)
		require.Len(t, closed, 2, "what does not exist is left out")
		require.Equal(t, b0, closed[0].Bucket, "sorted")
		require.Equal(t, sale.BucketClosed, closed[1].State)

		loads, err := s.BeginLoads(ctx, closed)
		require.NoError(t, err)
		require.Len(t, loads, 2)
		require.Equal(t, sale.BucketLoading, loads[0].State)
		require.EqualValues(t, 2, loads[0].Epoch)
		skus := []string{"phone", "case"}
		require.Equal(t, []sale.ShelfLoad{
			{SKU: "case", Available: 2, Number: 2, Limit: 3}, {SKU: "phone", Available: 1, Number: 1, Limit: 3},
		}, loads[0].Stock)
		require.ElementsMatch(t, inRedis(skus, ann, bob, dan), loads[0].Owners)
		require.Equal(t, []sale.ShelfLoad{
			{SKU: "case", Available: 1, Number: 2, Limit: 3}, {SKU: "phone", Available: 5, Number: 1, Limit: 3},
		}, loads[1].Stock)
		require.Equal(t, inRedis(skus, cat), loads[1].Owners)
		present, err := s.Sale(ctx, "eleven")
		require.NoError(t, err)
		require.Equal(t, sale.WindowOf(&present), loads[0].Window)
		require.Zero(t, countersOf(t, s, b0).SettledEpoch)

		opened, err := s.OpenBuckets(ctx, rowsOf(loads))
		require.NoError(t, err)
		require.Len(t, opened, 2)
		require.Equal(t, opened[0], countersOf(t, s, b0).BucketRow)
		again, err := s.OpenBuckets(ctx, rowsOf(loads))
		require.NoError(t, err)
		require.Empty(t, again, "they are open already")
	})
}

func TestRefusedOrdersOwnNothing(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1, 1)
		settle(t, s, batch(bucket, 1, 1, one("ann", 1), one("bob", 1)))
		loads, err := s.BeginLoads(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.Len(t, loads, 1)
		require.Len(t, loads[0].Owners, 1)
		require.Equal(t, "ann", loads[0].Owners[0].Buyer)
	})
}

func TestWhoWasFasterWins(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		stale := countersOf(t, s, bucket).BucketRow
		begin := func(row sale.BucketRow) int {
			loads, err := s.BeginLoads(ctx, []sale.BucketRow{row, row})
			require.NoError(t, err)
			return len(loads)
		}
		require.Zero(t, begin(stale), "an open bucket begins nothing")
		_, err := s.CloseBuckets(ctx, []sale.BucketRow{stale})
		require.NoError(t, err)
		require.Equal(t, 1, begin(stale), "named twice, begun once")
		require.Zero(t, begin(stale), "its epoch is over")

		left := countersOf(t, s, bucket).BucketRow
		require.Equal(t, sale.BucketLoading, left.State)
		require.Equal(t, 1, begin(left), "one that a dead role left loading is taken over")
		opened, err := s.OpenBuckets(ctx, []sale.BucketRow{left})
		require.NoError(t, err)
		require.Empty(t, opened, "the late call of a dead process opens nothing")
		require.EqualValues(t, 3, countersOf(t, s, bucket).Epoch)

		closed, err := s.CloseBuckets(ctx, []sale.BucketRow{stale})
		require.NoError(t, err)
		require.Equal(t, sale.BucketLoading, closed[0].State, "a bucket in another epoch is not closed")
	})
}

func TestReportLoss(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		require.NoError(t, s.ReportLoss(ctx, bucket, 0, "an epoch that is over"))
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
		require.NoError(t, s.ReportLoss(ctx, sale.Bucket{Sale: "x"}, 1, "nowhere"))

		require.NoError(t, s.ReportLoss(ctx, bucket, 1, "bytes \xff\xfe and "+strings.Repeat("é", 300)))
		require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State)
		require.NoError(t, s.ReportLoss(ctx, bucket, 1, "again"))
		var reason string
		require.NoError(t, s.db.QueryRow("SELECT closed_reason FROM buckets").Scan(&reason))
		require.True(t, strings.HasPrefix(reason, "bytes ? and é"), reason)
		require.LessOrEqual(t, len(reason), 255)
	})
}

func TestCut(t *testing.T) {
	require.Equal(t, "", cut("", 3))
	require.Equal(t, "abc", cut("abcd", 3))
	require.Equal(t, "ab", cut("abé", 3), "a character is not split")
	require.Equal(t, "a?b", cut("a\xffb", 3))
}
