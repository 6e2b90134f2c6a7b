package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func page(t testing.TB, s *Store, most int) []sale.OrderEvent {
	t.Helper()
	events, err := s.OrderEvents(t.Context(), most)
	require.NoError(t, err)
	return events
}

// Every event has the order as it was at the event, also after later changes.
func TestEventsTellTheMoment(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		ann, bob, cat, dan := one("ann", 1), one("bob", 1), one("cat", 1), one("ann", 1)
		d := batch(bucket, 1, 1, ann, bob, cat, dan)
		d.Record.Batch.CreatedMS = longAgo
		settle(t, s, d)
		overdue(t, s)
		confirmed := map[sale.OrderID]sale.Order{}
		for _, o := range []sale.RecordOrder{ann, bob, cat} {
			confirmed[o.OrderID] = order(t, s, o.OrderID)
		}
		paid := pay(t, s, ann.OrderID, "p-1")
		cancelled := cancel(t, s, bob.OrderID)
		expireDue(t, s, 10)

		told := drained(t, s)
		require.Equal(t, []sale.Order{
			confirmed[ann.OrderID], confirmed[bob.OrderID], confirmed[cat.OrderID], order(t, s, dan.OrderID),
			paid, cancelled, order(t, s, cat.OrderID),
		}, told)
		require.Equal(t, sale.StatusRefused, told[3].Status)
		require.Equal(t, sale.ReasonOverLimit, told[3].Reason)
		require.Empty(t, page(t, s, 10))
	})
}

func TestEventsOfAPageNameNoOrderTwice(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		first, second := crowd(2), crowd(1)
		settle(t, s, batch(bucket, 1, 1, first...))
		pay(t, s, first[1].OrderID, "p")
		settle(t, s, batch(bucket, 1, 2, second...))
		require.Len(t, page(t, s, 10), 1, "the payment names an order again")
		require.Len(t, page(t, s, 1), 1, "one event may be more than was asked for")
		require.NoError(t, s.EventsPublished(t.Context(), []int64{page(t, s, 10)[0].ID}))
		require.Len(t, page(t, s, 10), 2)
		require.Len(t, page(t, s, 1), 1)
		_, events, err := s.CountWaiting(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, events)
	})
}

// Events are committed with the rows: a record that is settled twice or that the database refuses makes no event.
func TestEventsAreWrittenWithTheRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		good, bad := batch(bucket, 1, 1, crowd(1)...), batch(bucket, 1, 2, one(strings.Repeat("b", 65), 1))
		_, err := s.Settle(t.Context(), []sale.Delivery{good, bad})
		require.Error(t, err)
		require.Empty(t, page(t, s, 10))
		settle(t, s, good)
		settle(t, s, good, fence("f"))
		require.Len(t, page(t, s, 10), 1)
	})
}

func TestEventsOfALargeSettlement(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10_000, 1)
		settle(t, s, batch(bucket, 1, 1, crowd(900)...), batch(bucket, 1, 2, crowd(900)...))
		require.Equal(t, 2, count(t, s, "SELECT COUNT(*) FROM events"), "a row holds a thousand")
		require.Len(t, drained(t, s), 1800)
	})
}

func TestEventsThatCannotBeRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(1)
		settle(t, s, batch(bucket, 1, 1, orders...))
		_, err := s.db.Exec("DELETE FROM orders")
		require.NoError(t, err)
		_, err = s.OrderEvents(t.Context(), 10)
		require.ErrorContains(t, err, orders[0].OrderID.String())
		_, err = s.db.Exec("UPDATE events SET order_ids = '1,,2'")
		require.NoError(t, err)
		_, err = s.OrderEvents(t.Context(), 10)
		require.ErrorContains(t, err, "order id")
		_, events, err := s.CountWaiting(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, events, "it waits and is counted, never skipped")
	})
}
