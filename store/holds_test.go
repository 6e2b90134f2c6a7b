package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func freeze(t testing.TB, s *Store, id string) sale.Sale {
	t.Helper()
	frozen, err := s.FreezeHolds(t.Context(), id, "")
	require.NoError(t, err)
	require.NotNil(t, frozen.HoldsFrozenSince)
	return frozen
}

// frozenAt sets back when a sale was frozen, so that its thaw moves orders by about so long.
func frozenAt(t testing.TB, s *Store, id string, ago time.Duration) {
	t.Helper()
	_, err := s.db.Exec("UPDATE sales SET holds_frozen_since = ? WHERE sale_id = ?",
		moment{sale.Time{Time: time.Now().Add(-ago)}}, id)
	require.NoError(t, err)
}

func beginThaw(t testing.TB, s *Store, id string) sale.Thaw {
	t.Helper()
	thaw, err := s.BeginThaw(t.Context(), id)
	require.NoError(t, err)
	return thaw
}

// thawed moves the orders of a thaw to its end and returns the pages that it took.
func thawed(t testing.TB, s *Store, thaw sale.Thaw) (pages int) {
	t.Helper()
	require.NoError(t, endOf(t.Context(), s, thaw, &pages))
	return pages
}

func endOf(ctx context.Context, s *Store, thaw sale.Thaw, pages *int) (err error) {
	for !thaw.Done && err == nil {
		*pages++
		thaw, err = s.ThawOrders(ctx, thaw)
	}
	return err
}

// holdEntries returns the entries of the trail about the holds of a sale, oldest first.
func holdEntries(t testing.TB, s *Store, id string) (entries []sale.TrailEntry) {
	t.Helper()
	for _, e := range trail(t, s) {
		if e.Sale == id && slices.Contains([]string{sale.VerbFreeze, sale.VerbThaw, sale.VerbExtend}, e.Verb) {
			entries = append(entries, e)
		}
	}
	return entries
}

func TestFrozenOrdersDoNotExpire(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		other := selling(t, s, draft("other", 1, item("phone", 10)))[0].Bucket
		due := unpaid(t, s, bucket, 1, 3)
		unpaid(t, s, other, 1, 2)
		before := put(t, s, draft("eleven", 1, item("phone", 100))).Version
		frozen := freeze(t, s, "eleven")
		require.Greater(t, frozen.Version, before, "gateways and consoles see it")
		require.Equal(t, frozen, freeze(t, s, "eleven"), "a second freeze changes nothing")
		read, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, frozen, read)

		require.Equal(t, 2, expireDue(t, s, 100), "those of the other sale")
		require.Zero(t, expireDue(t, s, 100))
		pay(t, s, due[0].OrderID, "p")
		cancel(t, s, due[1].OrderID)
		require.Equal(t, sale.StatusConfirmed, order(t, s, due[2].OrderID).Status)
		require.EqualValues(t, 1, countersOf(t, s, bucket).Released, "payments and cancellations go on")

		entries := holdEntries(t, s, "eleven")
		require.Len(t, entries, 1)
		require.Equal(t, sale.TargetSale("eleven"), entries[0].Target)
		require.JSONEq(t, `{"holds_frozen_since":null}`, string(entries[0].Before))
		require.JSONEq(t, `{"holds_frozen_since":"`+frozen.HoldsFrozenSince.String()+`"}`, string(entries[0].After))
	})
}

// unpaidInBuckets sells n orders in two buckets, of which one is paid and one cancelled, and returns them as they are.
func unpaidInBuckets(t *testing.T, s *Store, n int) (all []sale.RecordOrder, was map[sale.OrderID]sale.Order) {
	t.Helper()
	for i, row := range selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 5000)))) {
		made := crowd(n / 2)
		d := batch(row.Bucket, 1, 1, made...)
		d.Record.Batch.CreatedMS = time.Now().Add(-time.Duration(i) * time.Minute).UnixMilli()
		settle(t, s, d)
		all = append(all, made...)
	}
	pay(t, s, all[0].OrderID, "p")
	cancel(t, s, all[1].OrderID)
	was = map[sale.OrderID]sale.Order{}
	for _, o := range all {
		was[o.OrderID] = order(t, s, o.OrderID)
	}
	require.Len(t, drained(t, s), n+2)
	return all, was
}

func TestThawMovesOrdersOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		all, was := unpaidInBuckets(t, s, 1200)
		freeze(t, s, "eleven")
		frozenAt(t, s, "eleven", time.Hour)
		thaw := beginThaw(t, s, "eleven")
		require.InDelta(t, time.Hour.Milliseconds(), thaw.Shift.Milliseconds(), 60_000)
		again := beginThaw(t, s, "eleven")
		require.Equal(t, thaw, again, "the thaw that has begun")
		_, err := s.FreezeHolds(t.Context(), "eleven", "")
		require.ErrorIs(t, err, sale.ErrThawing)
		under, err := s.Thaws(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, []sale.Thaw{thaw}, under)
		under, err = s.Thaws(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Empty(t, under)

		half, err := s.ThawOrders(t.Context(), thaw) // by a process that then dies
		require.NoError(t, err)
		require.False(t, half.Done)
		require.Equal(t, maxThawed, count(t, s, "SELECT COUNT(*) FROM orders WHERE thaw_no = 1"))
		thawed(t, s, thaw)
		thawed(t, s, half)

		for _, o := range all {
			before, now := was[o.OrderID], order(t, s, o.OrderID)
			if before.Status != sale.StatusConfirmed {
				require.Equal(t, before, now)
				continue
			}
			require.Equal(t, before.PayBy.Add(thaw.Shift), now.PayBy.Time, "order %d", o.OrderID)
			require.False(t, now.UpdatedAt.Before(before.UpdatedAt.Time))
		}
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed' AND due_at <> pay_by"))
		after, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Nil(t, after.HoldsFrozenSince)
		_, err = s.BeginThaw(t.Context(), "eleven")
		require.ErrorIs(t, err, sale.ErrNotFrozen)
		agreesOnExtensions(t, s, was, thaw.Shift)

		entries := holdEntries(t, s, "eleven")
		require.Len(t, entries, 2)
		require.Equal(t, sale.VerbThaw, entries[1].Verb)
		var moved struct {
			Since *sale.Time `json:"holds_frozen_since"`
			By    float64    `json:"moved_by_s"`
		}
		require.NoError(t, json.Unmarshal(entries[1].After, &moved))
		require.InDelta(t, thaw.Shift.Seconds(), moved.By, 0.001)
		require.Nil(t, moved.Since)
	})
}

// agreesOnExtensions drains the events: each confirmed order was extended once, by so much.
func agreesOnExtensions(t *testing.T, s *Store, was map[sale.OrderID]sale.Order, by time.Duration) {
	t.Helper()
	told := map[sale.OrderID]sale.Order{}
	for {
		page, err := s.OrderEvents(t.Context(), 5000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			require.True(t, e.Extended)
			for _, o := range e.Orders {
				require.NotContains(t, told, o.OrderID)
				told[o.OrderID] = o
			}
			require.NoError(t, s.EventsPublished(t.Context(), []int64{e.ID}))
		}
	}
	for id, before := range was {
		if before.Status == sale.StatusConfirmed {
			require.Equal(t, before.PayBy.Add(by), told[id].PayBy.Time)
			require.Equal(t, order(t, s, id), told[id])
		} else {
			require.NotContains(t, told, id)
		}
	}
}

// An order that was pressed before a thaw and settles during or after it gets the time of every thaw that came after its press.
func TestLateOrdersGetTheTimeOfTheThaw(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		pressed := time.Now().Add(-time.Second)
		late := func(sequence int64, at time.Time) sale.Order {
			orders := crowd(1)
			d := batch(bucket, 1, sequence, orders...)
			d.Record.Batch.CreatedMS = at.UnixMilli()
			settle(t, s, d)
			return order(t, s, orders[0].OrderID)
		}
		payBy := func(at time.Time, shifts time.Duration) time.Time {
			return sale.TimeMillis(at.UnixMilli()).Add(900*time.Second + shifts)
		}
		frozen := func() sale.Thaw {
			freeze(t, s, "eleven")
			frozenAt(t, s, "eleven", time.Minute)
			return beginThaw(t, s, "eleven")
		}
		first := frozen()
		during := late(1, pressed)
		require.Equal(t, payBy(pressed, first.Shift), during.PayBy.Time)
		thawed(t, s, first)
		require.Equal(t, during, order(t, s, during.OrderID), "the thaw does not move it again")
		after := late(2, pressed)
		require.Equal(t, payBy(pressed, first.Shift), after.PayBy.Time)
		between := first.At.Add(time.Millisecond)
		require.Equal(t, payBy(between, 0), late(3, between).PayBy.Time, "pressed after the thaw")

		second := frozen()
		thawed(t, s, second)
		require.Equal(t, after.PayBy.Add(second.Shift), order(t, s, after.OrderID).PayBy.Time)
		require.Equal(t, payBy(pressed, first.Shift+second.Shift), late(4, pressed).PayBy.Time, "both")
		require.Equal(t, payBy(between, second.Shift), late(5, between).PayBy.Time, "the second alone")
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM orders WHERE order_id = ? AND due_at = pay_by AND thaw_no = 2",
			int64(after.OrderID)))
	})
}

func TestFreezeAndThawOfWhatCannotBe(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put(t, s, draft("new", 1, item("phone", 1)))
		_, err := s.FreezeHolds(ctx, "none", "")
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.BeginThaw(ctx, "none")
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.FreezeHolds(ctx, "new", "")
		require.Equal(t, "state draft", kindOf(err))
		_, err = s.BeginThaw(ctx, "new")
		require.ErrorIs(t, err, sale.ErrNotFrozen)
		require.Empty(t, holdEntries(t, s, "new"))

		bucket := phone(t, s, 10, 1)
		for _, state := range []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused, sale.StateClosed} {
			_, err := s.db.Exec("UPDATE sales SET state = ? WHERE sale_id = 'eleven'", state)
			require.NoError(t, err)
			freeze(t, s, "eleven")
			thawed(t, s, beginThaw(t, s, "eleven"))
		}
		freeze(t, s, "eleven")
		counters, err := s.SaleCounters(ctx, "eleven")
		require.NoError(t, err)
		_, err = s.ArchiveSale(ctx, "eleven", counters)
		require.NoError(t, err)
		archived, err := s.Sale(ctx, "eleven")
		require.NoError(t, err)
		require.Nil(t, archived.HoldsFrozenSince, "no order is left")
		require.Zero(t, count(t, s, "SELECT frozen FROM buckets WHERE sale_id = ?", bucket.Sale))
		_, err = s.FreezeHolds(ctx, "eleven", "")
		require.Equal(t, "state archived", kindOf(err))
	})
}

// A frozen sale with many due orders does not keep the orders of other sales from expiring, nor is it read again by every look.
func TestManyFrozenDueOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const limit = 10
		frozenOnes := phone(t, s, 1000, 1)
		other := selling(t, s, draft("other", 1, item("phone", 100)))[0].Bucket
		unpaid(t, s, frozenOnes, 1, 95)
		freeze(t, s, "eleven")
		unpaid(t, s, other, 1, 5)
		require.Equal(t, 5, expireDue(t, s, limit), "behind 95 of the frozen sale")
		passed := func() int {
			l, err := s.lookForDue(t.Context(), limit)
			require.NoError(t, err)
			return count(t, s, "SELECT COUNT(*) FROM orders WHERE due_at IS NOT NULL AND (due_at < ? OR due_at = ? AND "+
				"order_id <= ?)", moment{l.from.DueAt}, moment{l.from.DueAt}, int64(l.from.Order))
		}
		require.Equal(t, 95, passed(), "the next look begins after them")
		later := unpaid(t, s, other, 2, 1)
		_, err := s.db.Exec("UPDATE orders SET due_at = '2021-01-01 00:00:00.000', pay_by = due_at WHERE order_id = ?",
			int64(later[0].OrderID))
		require.NoError(t, err)
		require.Equal(t, 1, expireDue(t, s, limit))
		thawed(t, s, beginThaw(t, s, "eleven"))
		require.Zero(t, passed(), "after a thaw it begins at the first again")
		overdue(t, s)
		require.Equal(t, limit, expireDue(t, s, limit))
		require.Equal(t, 85, expireDue(t, s, 100))
	})
}

// More pages of frozen orders than one look reads.
func TestFrozenOrdersBeyondOneLook(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		other := selling(t, s, draft("other", 1, item("phone", 100)))[0].Bucket
		unpaid(t, s, bucket, 1, 2*maxDuePages+5)
		last := unpaid(t, s, other, 1, 1)
		_, err := s.db.Exec("UPDATE orders SET due_at = '2021-01-01 00:00:00.000', pay_by = due_at WHERE order_id = ?",
			int64(last[0].OrderID))
		require.NoError(t, err)
		freeze(t, s, "eleven")
		require.Equal(t, []int{0, 0, 1, 0}, []int{expireDue(t, s, 1), expireDue(t, s, 1), expireDue(t, s, 1), expireDue(t, s, 1)},
			fmt.Sprintf("looks of %d pages", maxDuePages))
	})
}
