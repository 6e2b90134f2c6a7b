package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func brakeOf(t testing.TB, s *Store) *sale.Brake {
	t.Helper()
	b, err := s.Brake(t.Context())
	require.NoError(t, err)
	return b
}

// brakeTrail returns what the trail has of brakes, oldest first: before and after.
func brakeTrail(t testing.TB, s *Store) (found [][2]string) {
	t.Helper()
	page, err := s.Trail(t.Context(), sale.TrailQuery{Limit: 100})
	require.NoError(t, err)
	for i := len(page.Entries) - 1; i >= 0; i-- {
		if e := page.Entries[i]; e.Verb == sale.VerbBrake {
			require.Equal(t, sale.TargetRules, e.Target)
			require.Equal(t, "engine", e.Who)
			require.Equal(t, sale.OutcomeDone, e.Outcome)
			found = append(found, [2]string{string(e.Before), string(e.After)})
		}
	}
	return found
}

func TestABrakeFromItsBeginToItsEnd(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		require.Nil(t, brakeOf(t, s))
		require.Nil(t, changesSince(t, s, 0).Brake, "a brake that never was is no change")
		require.NoError(t, s.SetBrake(ctx, nil, 0), "there is none to end")
		require.Empty(t, brakeTrail(t, s))

		put(t, s, draft("a", 1, item("phone", 1)))
		began := changesSince(t, s, 0).Version
		require.NoError(t, s.SetBrake(ctx, &sale.Brake{Reason: sale.BrakeRows, PerSecond: 900, PerGateway: 300}, 15*time.Second))
		b := brakeOf(t, s)
		require.EqualValues(t, 900, b.PerSecond)
		require.EqualValues(t, 300, b.PerGateway)
		require.Equal(t, sale.BrakeRows, b.Reason)
		require.WithinDuration(t, time.Now(), b.Since.Time, time.Minute)
		require.InDelta(t, 15*time.Second, b.Left, float64(5*time.Second))
		changes := changesSince(t, s, began)
		require.Greater(t, changes.Version, began)
		require.True(t, changes.Brake.On())
		require.Nil(t, changes.Rules, "the operators' rules have not changed")
		require.Nil(t, changesSince(t, s, changes.Version).Brake)

		require.NoError(t, s.SetBrake(ctx, &sale.Brake{Reason: sale.BrakeRows, PerSecond: 30, PerGateway: 10}, time.Minute))
		renewed := brakeOf(t, s)
		require.Equal(t, b.Since, renewed.Since)
		require.EqualValues(t, 10, renewed.PerGateway)
		require.Greater(t, renewed.Left, 15*time.Second)
		require.Len(t, brakeTrail(t, s), 1, "another rate alone is not worth a row")
		require.NoError(t, s.SetBrake(ctx, &sale.Brake{Reason: sale.BrakeJournal, PerSecond: 30, PerGateway: 10}, time.Minute))

		before := changesSince(t, s, 0).Version
		require.NoError(t, s.SetBrake(ctx, nil, time.Minute))
		require.Nil(t, brakeOf(t, s))
		ended := changesSince(t, s, before)
		require.NotNil(t, ended.Brake, "gateways learn of the end")
		require.False(t, ended.Brake.On())
		require.Equal(t, [][2]string{
			{"null", `{"per_second":900,"reason":"rows"}`},
			{`{"per_second":30,"reason":"rows"}`, `{"per_second":30,"reason":"journal"}`},
			{`{"per_second":30,"reason":"journal"}`, "null"},
		}, brakeTrail(t, s))
	})
}

// A brake whose holder died runs out by the database's clock, and is ended in the trail by the process that finds it.
func TestABrakeRunsOut(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := &sale.Brake{Reason: sale.BrakeRows, PerSecond: 4, PerGateway: 2}
		require.NoError(t, s.SetBrake(t.Context(), rows, time.Hour))
		since := brakeOf(t, s).Since
		_, err := s.db.Exec("UPDATE brake SET until_ms = until_ms - 7200000, since = '2001-01-01 00:00:00.000' WHERE id = 1")
		require.NoError(t, err)
		require.Nil(t, brakeOf(t, s))
		require.False(t, changesSince(t, s, 0).Brake.On())
		require.NoError(t, s.SetBrake(t.Context(), rows, time.Hour))
		require.False(t, brakeOf(t, s).Since.Before(since.Time), "another brake begins")
		_, err = s.db.Exec("UPDATE brake SET until_ms = until_ms - 7200000 WHERE id = 1")
		require.NoError(t, err)
		require.NoError(t, s.SetBrake(t.Context(), nil, 0))
		require.NoError(t, s.SetBrake(t.Context(), nil, 0), "it has ended already")
		four := `{"per_second":4,"reason":"rows"}`
		require.Equal(t, [][2]string{{"null", four}, {four, four}, {four, "null"}}, brakeTrail(t, s))
	})
}

func TestLiveGatewaysAreCounted(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		live := func() int64 {
			t.Helper()
			n, err := s.LiveGateways(t.Context(), time.Minute)
			require.NoError(t, err)
			return n
		}
		require.Zero(t, live())
		require.NoError(t, s.NoteGateway(t.Context(), "one", 4))
		require.NoError(t, s.NoteGateway(t.Context(), "two", 4))
		require.EqualValues(t, 2, live())
		_, err := s.db.Exec("UPDATE gateways SET seen_ms = seen_ms - 120000 WHERE holder = 'two'")
		require.NoError(t, err)
		require.EqualValues(t, 1, live())
	})
}

// Headway counts the orders of the records that move a position, and no order twice when a record is delivered again.
func TestHeadwayCountsOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		headway := func() []sale.Headway {
			t.Helper()
			all, err := s.Headway(t.Context())
			require.NoError(t, err)
			return all
		}
		bucket := phone(t, s, 100, 1)
		require.Empty(t, headway())
		first := at(batch(bucket, 1, 1, crowd(3)...), "orders-a", 3, 41)
		settle(t, s, first, at(fence("f"), "orders-a", 3, 43), at(batch(bucket, 1, 2, crowd(2)...), "orders-a", 1, 7))
		require.Equal(t, []sale.Headway{{Partition: 1, Next: 8, Orders: 2}, {Partition: 3, Next: 44, Orders: 3}}, headway())
		settle(t, s, first)
		require.EqualValues(t, 3, headway()[1].Orders, "delivered again")
		settle(t, s, at(batch(bucket, 1, 3, crowd(4)...), "orders-a", 3, 60),
			at(batch(bucket, 1, 4, crowd(5)...), "orders-a", 3, 61))
		require.Equal(t, sale.Headway{Partition: 3, Next: 62, Orders: 12}, headway()[1])
		settle(t, s, batch(bucket, 1, 5, crowd(1)...))
		require.EqualValues(t, 12, headway()[1].Orders, "a replayed dead letter has no place in the topic")

		waiting, err := s.EventOrders(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 15, waiting, "an event of each order waits")
		events, err := s.OrderEvents(t.Context(), 1)
		require.NoError(t, err)
		require.NoError(t, s.EventsPublished(t.Context(), []int64{events[0].ID}))
		left, err := s.EventOrders(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, int(waiting)-len(events[0].Orders), left)
	})
}
