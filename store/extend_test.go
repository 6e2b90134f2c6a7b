package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func extend(t testing.TB, s *Store, id sale.OrderID, to time.Time) sale.Order {
	t.Helper()
	got, err := s.ExtendOrder(t.Context(), id, sale.Time{Time: to})
	require.NoError(t, err)
	return got
}

func TestExtendOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		ann := unpaid(t, s, bucket, 1, 1)[0]
		confirmed := order(t, s, ann.OrderID)
		to := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		got := extend(t, s, ann.OrderID, to)
		require.Equal(t, to, got.PayBy.Time)
		require.Equal(t, got, order(t, s, ann.OrderID))
		require.Equal(t, got, extend(t, s, ann.OrderID, to), "the same time again")
		require.Equal(t, got, order(t, s, ann.OrderID), "and nothing has changed")
		require.Zero(t, expireDue(t, s, 10), "it was due")
		last := extend(t, s, ann.OrderID, to.Add(time.Hour))
		paid := pay(t, s, ann.OrderID, "p")
		require.Equal(t, last.PayBy, paid.PayBy)

		// Every event has the order as it was then, though it was extended and paid before the first one was read.
		first := page(t, s, 10)
		require.Equal(t, []sale.Order{confirmed}, first[0].Orders)
		require.False(t, first[0].Extended)
		require.Equal(t, []sale.Order{confirmed, got, last, paid}, drained(t, s))

		entries := holdEntries(t, s, "eleven")
		require.Len(t, entries, 2, "a repetition is no change")
		require.Equal(t, sale.TargetOrder(ann.OrderID), entries[0].Target)
		require.JSONEq(t, `{"pay_by":"`+confirmed.PayBy.String()+`"}`, string(entries[0].Before))
		require.JSONEq(t, `{"pay_by":"`+got.PayBy.String()+`"}`, string(entries[0].After))
	})
}

func TestExtensionsThatCannotBe(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		d := batch(bucket, 1, 1, orders...)
		d.Record.Batch.CreatedMS = time.Now().UnixMilli()
		settle(t, s, d)
		old := unpaid(t, s, bucket, 2, 1)[0]
		wanted := draft("free", 1, item("phone", 1))
		wanted.PaymentTTL = 0
		free := crowd(1)
		settle(t, s, batch(selling(t, s, wanted)[0].Bucket, 1, 1, free...))
		pay(t, s, orders[1].OrderID, "p")
		cancel(t, s, orders[2].OrderID)
		now := time.Now()
		for _, bad := range []struct {
			id sale.OrderID
			to time.Time
		}{
			{orders[0].OrderID, now.Add(time.Minute)},            // earlier than it is
			{orders[0].OrderID, now.Add(7*24*time.Hour + 1e10)},  // too far
			{old.OrderID, time.UnixMilli(longAgo).Add(1e9)},      // later, but past
			{free[0].OrderID, now.Add(time.Hour)},                // has none
			{orders[0].OrderID, time.Time{}},                     // nonsense
			{orders[0].OrderID, now.AddDate(200, 0, 0)},          //
			{orders[0].OrderID, time.UnixMilli(now.UnixMilli())}, //
		} {
			_, err := s.ExtendOrder(ctx, bad.id, sale.Time{Time: bad.to})
			require.Equal(t, "field pay_by", kindOf(err), bad.to)
		}
		later := sale.Time{Time: now.Add(time.Hour)}
		for id, status := range map[sale.OrderID]sale.OrderStatus{
			orders[1].OrderID: sale.StatusPaid, orders[2].OrderID: sale.StatusCancelled,
		} {
			_, err := s.ExtendOrder(ctx, id, later)
			require.Equal(t, status, statusIn(err))
		}
		_, err := s.ExtendOrder(ctx, 12345, later)
		require.ErrorIs(t, err, sale.ErrNotFound)
		waits := batch(bucket, 1, 3, one("bob", 1))
		add(t, s, letter(waits, 1))
		_, err = s.ExtendOrder(ctx, waits.Record.Batch.BatchID, later)
		require.Equal(t, sale.StatusQueued, statusIn(err), "it waits in a dead letter")
		require.Empty(t, holdEntries(t, s, "eleven"))
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE first_pay_by IS NOT NULL"))
	})
}

// An extension during a freeze moves on with the thaw, and events keep what each one said.
func TestExtensionDuringAFreeze(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(1)
		d := batch(bucket, 1, 1, orders...)
		d.Record.Batch.CreatedMS = time.Now().UnixMilli()
		settle(t, s, d)
		confirmed := order(t, s, orders[0].OrderID)
		freeze(t, s, "eleven")
		frozenAt(t, s, "eleven", time.Minute)
		extended := extend(t, s, orders[0].OrderID, time.Now().Add(2*time.Hour))
		thaw := beginThaw(t, s, "eleven")
		thawed(t, s, thaw)
		now := order(t, s, orders[0].OrderID)
		require.Equal(t, extended.PayBy.Add(thaw.Shift), now.PayBy.Time)
		require.Equal(t, []sale.Order{confirmed, extended, now}, drained(t, s))
	})
}

func TestExtensionEventsThatCannotBeRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		id := unpaid(t, s, bucket, 1, 1)[0].OrderID
		extend(t, s, id, time.Now().Add(time.Hour))
		for _, text := range []string{id.String(), id.String() + "=", id.String() + "=x", "=5", ""} {
			_, err := s.db.Exec("UPDATE events SET order_ids = ? WHERE status = 'extended'", text)
			require.NoError(t, err)
			_, err = s.OrderEvents(t.Context(), 10)
			require.Error(t, err, text)
		}
		_, err := s.db.Exec("UPDATE events SET order_ids = ?", id.String()+"=5")
		require.NoError(t, err)
		_, err = s.OrderEvents(t.Context(), 10)
		require.ErrorContains(t, err, "confirmed", "a payment time in an event without one")
	})
}
