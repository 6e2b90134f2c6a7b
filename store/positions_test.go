package store

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// at gives a delivery a place in the orders topic.
func at(d sale.Delivery, topic string, partition int32, offset int64) sale.Delivery {
	d.TopicID, d.Partition, d.Offset = topic, partition, offset
	return d
}

func positions(t testing.TB, s *Store) []sale.Position {
	t.Helper()
	all, err := s.Positions(t.Context())
	require.NoError(t, err)
	return all
}

func TestPositionsMoveForward(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		require.Empty(t, positions(t, s))
		first := at(batch(bucket, 1, 1, crowd(1)...), "orders-a", 3, 41)
		settle(t, s, first, at(fence("f"), "orders-a", 3, 43), at(batch(bucket, 1, 2, crowd(1)...), "orders-a", 1, 7))
		wanted := []sale.Position{{Partition: 1, TopicID: "orders-a", Next: 8}, {Partition: 3, TopicID: "orders-a", Next: 44}}
		require.Equal(t, wanted, positions(t, s))
		settle(t, s, first)
		require.Equal(t, wanted, positions(t, s), "delivered again")
		settle(t, s, at(fence("g"), "orders-a", 3, 60))
		require.EqualValues(t, 61, positions(t, s)[1].Next, "a fence alone")
		settle(t, s, batch(bucket, 1, 3, crowd(1)...))
		require.Len(t, positions(t, s), 2, "a replayed dead letter has no place in the topic")
	})
}

// A topic made anew starts its offsets anew: its records must not be taken for those of the topic before.
func TestPositionOfAnotherTopic(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		settle(t, s, at(batch(bucket, 1, 1, crowd(1)...), "orders-a", 3, 41))
		d := at(batch(bucket, 1, 2, crowd(1)...), "orders-b", 3, 0)
		_, err := s.Settle(t.Context(), []sale.Delivery{d})
		require.ErrorIs(t, err, sale.ErrBehind)
		require.ErrorContains(t, err, "orders-a")
		require.ErrorContains(t, err, "orders-b")
		require.EqualValues(t, 1, countersOf(t, s, bucket).Settled, "nothing of it settled")
		require.EqualValues(t, 42, positions(t, s)[0].Next)
	})
}

// Records that follow some that the database has lost move no position past these.
func TestPositionsLeaveNoGap(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		after := func(follows int64, d sale.Delivery) sale.Delivery {
			d.Follows = follows
			return d
		}
		first := after(0, at(batch(bucket, 1, 1, crowd(1)...), "orders-a", 3, 41))
		second := after(42, at(batch(bucket, 1, 2, crowd(1)...), "orders-a", 3, 42))
		third := after(43, at(batch(bucket, 1, 3, crowd(1)...), "orders-a", 3, 50)) // offsets may be missing between two records
		refused := func(d sale.Delivery, says string) {
			_, err := s.Settle(t.Context(), []sale.Delivery{d})
			require.ErrorIs(t, err, sale.ErrLostTail)
			require.ErrorContains(t, err, says)
		}
		refused(second, "it has settled nothing, and had settled up to offset 42")
		settle(t, s, first)
		refused(third, "it has settled up to offset 42, and had settled up to 43")
		require.EqualValues(t, 1, countersOf(t, s, bucket).Settled)
		require.EqualValues(t, 42, positions(t, s)[0].Next)
		settle(t, s, second, third)
		settle(t, s, second) // again, as after a rebalance
		require.EqualValues(t, 51, positions(t, s)[0].Next)
		require.EqualValues(t, 3, countersOf(t, s, bucket).Settled)
	})
}

// A position is never ahead of the rows: a failed settlement moves none.
func TestPositionsAreCommittedWithTheRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		good := at(batch(bucket, 1, 1, crowd(1)...), "orders-a", 3, 41)
		bad := at(batch(bucket, 1, 2, one(strings.Repeat("b", 65), 1)), "orders-a", 3, 42)
		_, err := s.Settle(t.Context(), []sale.Delivery{good, bad})
		require.Error(t, err)
		require.Empty(t, positions(t, s))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_, err = s.Settle(ctx, []sale.Delivery{good})
		require.Error(t, err)
		require.Empty(t, positions(t, s))
		settle(t, s, good)
		require.EqualValues(t, 42, positions(t, s)[0].Next)
	})
}

func TestPositionsMadeAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		var deliveries [4]sale.Delivery
		for i := range deliveries {
			deliveries[i] = at(batch(bucket, 1, int64(i+1), crowd(1)...), "orders-a", 3, int64(i))
		}
		require.NoError(t, together(4, func(i int) error {
			_, err := s.Settle(t.Context(), deliveries[i:i+1])
			return err
		}))
		require.Equal(t, []sale.Position{{Partition: 3, TopicID: "orders-a", Next: 4}}, positions(t, s))
	})
}

// Records of an epoch that this database has not begun stop settlement; the error has the SQL with which it can continue.
func TestDatabaseBehindTheTopic(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		settle(t, s, batch(bucket, 1, 1, crowd(1)...))
		d, older := batch(bucket, 7, 1, crowd(1)...), batch(bucket, 5, 1, crowd(1)...)
		_, err := s.Settle(ctx, []sale.Delivery{older, d})
		require.ErrorIs(t, err, sale.ErrBehind)
		require.ErrorContains(t, err, "bucket eleven:0 is in epoch 1 here and in epoch 7 there")
		_, err = s.Settle(ctx, []sale.Delivery{transfer(bucket, 0, 2, 4, 1)})
		require.ErrorIs(t, err, sale.ErrBehind)
		require.EqualValues(t, 1, countersOf(t, s, bucket).Settled)
		version := count(t, s, "SELECT version FROM catalogue")

		_, err = s.Settle(ctx, []sale.Delivery{older, d})
		_, repair, found := strings.Cut(err.Error(), "run: ")
		require.True(t, found)
		conn, connErr := s.db.Conn(ctx)
		require.NoError(t, connErr)
		for statement := range strings.SplitSeq(strings.TrimSuffix(repair, ";"), "; ") {
			_, err := conn.ExecContext(ctx, statement)
			require.NoError(t, err, statement)
		}
		require.NoError(t, conn.Close())
		require.Equal(t, sale.Settlement{Rows: 2, Refused: 1}, settle(t, s, older, d))
		b := countersOf(t, s, bucket)
		require.Equal(t, sale.BucketClosed, b.State, "a rebuild follows")
		require.EqualValues(t, 7, b.Epoch)
		changes, err := s.Changes(ctx, int64(version))
		require.NoError(t, err)
		require.Len(t, changes.Buckets, 1, "gateways get the change")
	})
}

func TestEngineID(t *testing.T) {
	var ids []string
	for _, driver := range []string{DriverMySQL, DriverSQLite, DriverMySQL, DriverSQLite} {
		s := migrated(t, driver)
		id, err := s.EngineID(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(id), 32)
		require.NotContains(t, ids, id)
		ids = append(ids, id)
		require.NoError(t, s.Migrate(t.Context()))
		again, err := s.EngineID(t.Context())
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
}
