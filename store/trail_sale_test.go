package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// What was done to a sale is found among its newest entries, whatever was paid meanwhile.
func TestTrailOfASaleItself(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 30, 1)
		orders := crowd(25)
		settle(t, s, batch(bucket, 1, 1, orders...))
		before, err := s.SaleTrailIDs(ctx, bucket.Sale, 0, 20)
		require.NoError(t, err)
		require.NotEmpty(t, before)
		require.NoError(t, s.PauseSale(ctx, bucket.Sale, "why"))
		for _, o := range orders {
			pay(t, s, o.OrderID, "p")
		}
		after, err := s.SaleTrailIDs(ctx, bucket.Sale, before[0], 20)
		require.NoError(t, err)
		require.Len(t, after, 1, "the pause, and no payment")
		all, err := s.SaleTrailIDs(ctx, bucket.Sale, 0, 2)
		require.NoError(t, err)
		require.Equal(t, []int64{after[0], before[0]}, all, "newest first")
		entries, err := s.TrailEntries(ctx, append(all, 1<<40))
		require.NoError(t, err)
		require.Len(t, entries, 2)
		require.Equal(t, before[0], entries[0].ID, "oldest first")
		require.Equal(t, sale.VerbPause, entries[1].Verb)
		require.Contains(t, string(entries[1].After), "why")
		none, err := s.SaleTrailIDs(ctx, "another", 0, 20)
		require.NoError(t, err)
		require.Empty(t, none)
		entries, err = s.TrailEntries(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, entries)
	})
}
