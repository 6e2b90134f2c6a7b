package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func changesSince(t *testing.T, s *Store, since int64) sale.Changes {
	t.Helper()
	changes, err := s.Changes(t.Context(), since)
	require.NoError(t, err)
	return changes
}

func TestChangesOfANewDatabase(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		require.Equal(t, sale.Changes{}, changesSince(t, s, 0))
	})
}

func TestEveryKindOfChangeIsSeen(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put(t, s, draft("other", 1, item("phone", 1)))
		put(t, s, inBuckets(2, draft("eleven", 1, item("phone", 10))))
		seen := changesSince(t, s, 0)
		require.Len(t, seen.Sales, 2)
		require.Equal(t, sale.DefaultRules(), *seen.Rules, "the first poll gets the default rules")

		var rows []sale.BucketRow
		next := func(step string, do func() error, sales, buckets int, rules bool) {
			t.Helper()
			require.NoError(t, do(), step)
			got := changesSince(t, s, seen.Version)
			require.Greater(t, got.Version, seen.Version, step)
			require.Len(t, got.Sales, sales, step)
			require.Len(t, got.Buckets, buckets, step)
			require.Equal(t, rules, got.Rules != nil, step)
			require.Equal(t, sale.Changes{Version: got.Version}, changesSince(t, s, got.Version), step)
			seen = got
		}
		next("preload", func() (err error) { rows, err = s.LoadStock(ctx, "eleven", 8); return err }, 0, 2, false)
		require.Equal(t, rows, seen.Buckets)
		next("begin", func() error { _, err := s.BeginLoads(ctx, rows[:1]); return err }, 0, 1, false)
		require.Equal(t, sale.BucketLoading, seen.Buckets[0].State)
		require.EqualValues(t, 1, seen.Buckets[0].Epoch)
		next("open", func() error { _, err := s.OpenBuckets(ctx, seen.Buckets); return err }, 0, 1, false)
		require.Equal(t, sale.BucketOpen, seen.Buckets[0].State)
		next("loss", func() error { return s.ReportLoss(ctx, rows[0].Bucket, 1, "gone") }, 0, 1, false)
		require.Equal(t, sale.BucketClosed, seen.Buckets[0].State)
		next("state", func() error { _, err := s.SetState(ctx, "eleven", "preloaded", "draft"); return err }, 1, 0, false)
		require.Len(t, seen.Sales[0].Items, 1)
		next("rules", func() error { _, err := s.PutRules(ctx, sale.Rules{}, nil); return err }, 0, 0, true)
	})
}

// A step that changes nothing must not make every gateway read.
func TestNoChangeNoVersion(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		version := changesSince(t, s, 0).Version
		row := countersOf(t, s, bucket).BucketRow
		stale := row
		stale.Epoch--
		_, err := s.LoadStock(ctx, "eleven", 8)
		require.NoError(t, err)
		_, err = s.CloseBuckets(ctx, []sale.BucketRow{stale})
		require.NoError(t, err)
		_, err = s.OpenBuckets(ctx, []sale.BucketRow{row})
		require.NoError(t, err)
		_, err = s.BeginLoads(ctx, []sale.BucketRow{row})
		require.NoError(t, err)
		require.NoError(t, s.ReportLoss(ctx, bucket, 7, "another epoch"))
		settle(t, s, batch(bucket, 1, 1, crowd(2)...))
		require.Equal(t, version, changesSince(t, s, version).Version)
	})
}

func TestADatabaseWithALowerCounterIsReadWhole(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		phone(t, s, 10, 1)
		got := changesSince(t, s, 1_000_000)
		require.Len(t, got.Sales, 1)
		require.Len(t, got.Buckets, 1)
	})
}

// A reader of the versions misses no change, although the changes overlap: the last state of every sale and bucket in the
// polls is the state in the tables.
func TestNoChangeIsMissed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const writers, rounds = 4, 8
		followed := follower{sales: map[string]sale.Sale{}, buckets: map[sale.Bucket]sale.BucketRow{}}
		done := make(chan error, 1)
		go func() {
			done <- together(writers, func(i int) error { return changeOften(t, s, fmt.Sprintf("sale-%d", i), rounds) })
		}()
		for running := true; running; {
			select {
			case err := <-done:
				require.NoError(t, err)
				running = false
			default:
			}
			followed.take(t, changesSince(t, s, followed.version))
		}
		followed.take(t, changesSince(t, s, followed.version))

		whole := follower{sales: map[string]sale.Sale{}, buckets: map[sale.Bucket]sale.BucketRow{}}
		whole.take(t, changesSince(t, s, 0))
		require.Equal(t, whole, followed)
		require.Len(t, whole.sales, writers)
	})
}

func changeOften(t *testing.T, s *Store, id string, rounds int) error {
	ctx := t.Context()
	wanted := inBuckets(3, draft(id, 1, item("phone", 10)))
	if _, _, err := s.PutSale(ctx, wanted); err != nil {
		return err
	}
	for round := range rounds {
		wanted.Name = fmt.Sprintf("round %d", round)
		wanted.Items[0].Stock++
		if _, _, err := s.PutSale(ctx, wanted); err != nil {
			return err
		}
		if _, err := s.LoadStock(ctx, id, 8); err != nil {
			return err
		}
		counters, err := s.SaleCounters(ctx, id)
		if err != nil {
			return err
		}
		var rows []sale.BucketRow
		for _, c := range counters {
			rows = append(rows, c.BucketRow)
		}
		closed, err := s.CloseBuckets(ctx, rows)
		if err != nil {
			return err
		}
		loads, err := s.BeginLoads(ctx, closed)
		if err != nil {
			return err
		}
		if _, err := s.OpenBuckets(ctx, rowsOf(loads)); err != nil {
			return err
		}
	}
	return nil
}

// follower is a gateway's view of the catalogue.
type follower struct {
	version int64
	sales   map[string]sale.Sale
	buckets map[sale.Bucket]sale.BucketRow
}

func (f *follower) take(t *testing.T, c sale.Changes) {
	t.Helper()
	require.GreaterOrEqual(t, c.Version, f.version)
	f.version = c.Version
	for _, one := range c.Sales {
		f.sales[one.ID] = one
	}
	for _, row := range c.Buckets {
		f.buckets[row.Bucket] = row
	}
}
