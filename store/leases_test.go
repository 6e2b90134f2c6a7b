package store

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func acquire(t *testing.T, s *Store, name, holder string, ttl time.Duration) bool {
	t.Helper()
	taken, err := s.AcquireLease(t.Context(), name, holder, ttl)
	require.NoError(t, err)
	return taken
}

// expire ends every lease by the database's clock.
func expire(t *testing.T, s *Store, table string) {
	t.Helper()
	_, err := s.db.Exec("UPDATE " + table + " SET expires_ms = 1")
	require.NoError(t, err)
}

func TestLease(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		require.True(t, acquire(t, s, "sale/a", "one", time.Minute))
		require.True(t, acquire(t, s, "sale/a", "one", time.Minute), "its holder renews it")
		require.False(t, acquire(t, s, "sale/a", "two", time.Minute))
		require.True(t, acquire(t, s, "sale/b", "two", time.Minute))

		require.NoError(t, s.ReleaseLease(t.Context(), "sale/a", "two"))
		require.False(t, acquire(t, s, "sale/a", "two", time.Minute), "the caller did not own it")
		require.NoError(t, s.ReleaseLease(t.Context(), "sale/a", "one"))
		require.True(t, acquire(t, s, "sale/a", "two", time.Minute))

		expire(t, s, "leases")
		require.True(t, acquire(t, s, "sale/a", "one", time.Minute))
		require.False(t, acquire(t, s, "sale/a", "two", time.Minute), "the old holder has lost it")
	})
}

func TestLeaseEndsByTheDatabasesClock(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		require.True(t, acquire(t, s, "a", "one", 20*time.Millisecond))
		require.Eventually(t, func() bool { return acquire(t, s, "a", "two", time.Minute) }, 10*time.Second, 5*time.Millisecond)
		left := count(t, s, "SELECT expires_ms - "+s.dialect.nowMS+" FROM leases")
		require.InDelta(t, time.Minute.Milliseconds(), left, 30_000)
	})
}

func TestLeaseAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for _, before := range []string{"no row", "an expired row"} {
			var won atomic.Int64
			err := together(8, func(i int) error {
				taken, err := s.AcquireLease(t.Context(), "sale/a", fmt.Sprintf("%s %d", before, i), time.Minute)
				if taken {
					won.Add(1)
				}
				return err
			})
			require.NoError(t, err)
			require.EqualValues(t, 1, won.Load(), before)
			expire(t, s, "leases")
		}
	})
}

func TestNodeLeasesAreDistinct(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		leases := make([]sale.NodeLease, 24)
		err := together(len(leases), func(i int) (err error) {
			leases[i], err = s.LeaseNode(t.Context(), fmt.Sprintf("gateway-%d", i), time.Minute)
			return err
		})
		require.NoError(t, err)
		seen := map[int64]bool{}
		for i, lease := range leases {
			require.False(t, seen[lease.Node], "node %d twice", lease.Node)
			seen[lease.Node] = true
			require.Equal(t, fmt.Sprintf("gateway-%d", i), lease.Holder)
			require.True(t, lease.Node >= 0 && lease.Node <= sale.MaxNode)
		}
	})
}

func TestNodeLeaseKeepsItsHighWaterMark(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		require.Equal(t, sale.MaxNode+1, count(t, s, "SELECT COUNT(*) FROM node_leases"))
		_, err := s.db.Exec("UPDATE node_leases SET expires_ms = 9000000000000000 WHERE node_id <> 5")
		require.NoError(t, err)
		lease, err := s.LeaseNode(ctx, "one", time.Minute)
		require.NoError(t, err)
		require.Equal(t, sale.NodeLease{Node: 5, Holder: "one"}, lease)

		require.NoError(t, s.RenewNode(ctx, lease, 5000, time.Minute))
		require.NoError(t, s.RenewNode(ctx, lease, 5000, time.Minute), "the same again")
		require.NoError(t, s.RenewNode(ctx, lease, 4000, time.Minute))
		_, err = s.LeaseNode(ctx, "two", time.Minute)
		require.ErrorIs(t, err, sale.ErrLeaseHeld, "all are taken")

		_, err = s.db.Exec("UPDATE node_leases SET expires_ms = 1 WHERE node_id = 5")
		require.NoError(t, err)
		require.NoError(t, s.RenewNode(ctx, lease, 6000, 0), "late, but no other process has leased it")
		taken, err := s.LeaseNode(ctx, "two", time.Minute)
		require.NoError(t, err)
		require.Equal(t, sale.NodeLease{Node: 5, Holder: "two", HighWaterMS: 6000}, taken)
		require.ErrorIs(t, s.RenewNode(ctx, lease, 7000, time.Minute), sale.ErrLeaseHeld)
	})
}
