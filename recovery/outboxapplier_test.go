package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

func (w *world) applier() *OutboxApplier {
	return NewOutboxApplier(OutboxApplierOptions{
		Redis: w.Redis, Outbox: w.DB, Report: w.DB, Leases: w.DB, Owner: "test", Log: slog.New(slog.DiscardHandler),
	})
}

// Released units can be bought again, also by the buyer of the released order; the key of that order still answers with it.
func TestOutboxApplierBringsReleasedUnitsBack(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 2, 2)
	press := func(buyer, key string, quantity int) sale.Answer {
		p := w.Purchase(b, buyer)
		p.Key, p.Lines[0].Quantity = key, quantity
		return w.engine.Reserve(p)
	}
	first := press("anna", "press 1", 2)
	require.Equal(t, sale.OutcomeQueued, first.Outcome)
	require.Equal(t, sale.OutcomeSoldOut, press("bert", "", 1).Outcome)
	released := fakes.OrderOf(first, "anna")
	released.Key = "press 1"
	w.DB.Release(b, released)
	require.NoError(t, w.applier().applyAll(context.Background()))
	require.Empty(t, w.DB.WaitingRows())
	require.Empty(t, w.DB.LeaseNames(), "the lease is released")
	require.Equal(t, sale.Reading{
		Epoch: 1, Sequence: 2, WindowsVersion: w.Sale.Version,
		Outbox: 1, JournalOrders: w.Reading(b).JournalOrders, OldestJournal: w.Reading(b).OldestJournal,
	}, w.Reading(b))
	require.Equal(t, sale.ShelfReading{SKU: "phone", Available: 2, Taken: 2, Returned: 2, Limit: 2, Number: 1}, w.Shelf(b))
	require.Equal(t, int64(2), w.DB.Snapshot().Buckets[b].Sequence, "the write of the release is known to the database")

	again := press("anna", "press 1", 2)
	require.Equal(t, sale.OutcomeReplayed, again.Outcome)
	require.Equal(t, first.OrderID, again.OrderID)
	require.Equal(t, sale.OutcomeKeyReused, press("anna", "press 1", 1).Outcome)
	holdings, err := w.engine.Holdings(context.Background(), b, "anna")
	require.NoError(t, err)
	require.Empty(t, holdings, "its outcome is the database's to tell")
	require.Equal(t, sale.OutcomeQueued, press("anna", "press 2", 1).Outcome, "the units do not count any more")
	require.Equal(t, sale.OutcomeQueued, press("bert", "", 1).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, press("carl", "", 1).Outcome)

	w.Rebuild(w.CloseRow(b))
	require.Equal(t, first.OrderID, press("anna", "press 1", 2).OrderID, "the key answers after a rebuild too")
	require.Equal(t, sale.OutcomeSoldOut, press("anna", "press 3", 1).Outcome, "a released order does not count then either")
}

// Redis keeps as much of an order that the operator refused as a rebuild would load: nothing. The order counts neither against
// the rule of cancellations nor as one of the eight, and its key takes a new order. The buyer's other orders stay.
func TestOutboxApplierForgetsRefusedOrders(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 100, 3)
	press := func(buyer, key string) sale.Answer {
		p := w.Purchase(b, buyer)
		p.Key, p.Grief = key, sale.Grief{Unpaid: 1, WindowS: 3600}
		return w.engine.Reserve(p)
	}
	refusedOf := func(buyer, key string) sale.RecordOrder {
		order := fakes.OrderOf(press(buyer, key), buyer)
		order.Key = key
		return order
	}
	first, second, kept, last := refusedOf("anna", "k1"), refusedOf("bert", "k1"), refusedOf("bert", "k2"),
		refusedOf("bert", "k3")
	w.DB.Refuse(b, first, second)
	w.DB.Refuse(b, last)
	rows, err := w.DB.Outbox(context.Background(), applyRows)
	require.NoError(t, err)
	for range 2 { // the marks were lost once
		w.DB.SetWaiting(rows...)
		require.NoError(t, w.applier().applyAll(context.Background()))
		require.Empty(t, w.DB.WaitingRows())
		require.EqualValues(t, 99, w.Shelf(b).Available)
		require.EqualValues(t, 1, w.Server.MustDo(t, "HLEN", w.Redis.Keys(b).Buyers),
			"nothing is left of a buyer without other orders")
		require.Contains(t, w.Value(b, "bert"), ",k2,")
		require.NotContains(t, w.Value(b, "bert"), `"`, "one entry")
	}
	for _, stage := range []string{"after the refusal", "after a rebuild"} {
		again := press("anna", "k1 "+stage)
		require.Equal(t, sale.OutcomeQueued, again.Outcome, "%s: it does not count against the buyer", stage)
		require.Equal(t, kept.OrderID, press("bert", "k2").OrderID, stage)
		w.Rebuild(w.CloseRow(b))
	}
	again := press("anna", "k1")
	require.Equal(t, sale.OutcomeQueued, again.Outcome, "the key takes a new order")
	require.NotEqual(t, first.OrderID, again.OrderID)
	require.Empty(t, w.DB.Reported())
}

// Rows that were applied but not marked are marked by the next unit, and not applied again, also by another process.
func TestOutboxApplierAppliesARowOnce(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	for i := range 3 {
		buyer := fmt.Sprint("buyer-", i)
		w.DB.Release(b, fakes.OrderOf(w.Buy(b, buyer), buyer))
	}
	rows, err := w.DB.Outbox(context.Background(), applyRows)
	require.NoError(t, err)
	first := w.applier()
	n, left, err := first.apply(context.Background(), rows)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the rows of a bucket are one page")
	require.Empty(t, left)
	require.Equal(t, int64(10), w.Shelf(b).Available)
	before := w.Reading(b)

	for _, applier := range []*OutboxApplier{first, w.applier()} {
		w.DB.SetWaiting(rows...) // the marks were lost
		require.NoError(t, applier.applyAll(context.Background()))
		require.Equal(t, before, w.Reading(b))
		require.Empty(t, w.DB.WaitingRows())
	}
	w.DB.Give(b, w.row(sale.OutboxCredit, "phone", 5))
	rows = w.DB.Waiting()
	for range 2 {
		require.NoError(t, w.applier().applyAll(context.Background()))
		require.Equal(t, int64(15), w.Shelf(b).Available)
		w.DB.SetWaiting(rows...)
	}
	require.Empty(t, w.DB.Reported())
}

// Many rows of many buckets are applied in pages that fit one call, in the order of their numbers.
func TestOutboxApplierCarriesManyRows(t *testing.T) {
	w := newWorld(t, nil)
	buckets := []sale.Bucket{w.Stock("phone", 2000, 1), w.Stock("case", 2000, 1), w.Stock("cable", 2000, 1)}
	names := fakes.Buyers("buyer", 2500)
	for _, b := range buckets {
		for at := 0; at < len(names); at += 500 {
			for i, a := range w.BuyAll(b, names[at:at+500]) {
				if a.OrderID != 0 && a.Outcome == sale.OutcomeQueued {
					w.DB.Release(b, fakes.OrderOf(a, names[at+i]))
				}
			}
		}
	}
	require.Greater(t, len(w.DB.WaitingRows()), 3*scripts.MaxReleaseRows)
	require.NoError(t, w.applier().applyAll(context.Background()))
	require.Empty(t, w.DB.WaitingRows())
	for _, b := range buckets {
		require.Equal(t, int64(2000), w.Shelf(b).Available, b)
		require.Equal(t, int64(2000), w.Shelf(b).Returned, b)
	}
}

// When Redis lacks what a release refers to, it has lost writes: nothing is written, and the bucket is reported. The load of
// the rebuild includes the row.
func TestOutboxApplierReportsLoss(t *testing.T) {
	spoil := map[string]func(w *world, b sale.Bucket){
		"order":    func(w *world, b sale.Bucket) { w.Do("DEL", w.Redis.Keys(b).Buyers) },
		"outbox":   func(w *world, b sale.Bucket) { w.spoilRow(func(row *sale.OutboxRow) { row.Number = 2 }) },
		"missing":  func(w *world, b sale.Bucket) { w.Do("DEL", w.Redis.Keys(b).Meta) },
		"sku":      func(w *world, b sale.Bucket) { w.Do("HDEL", w.Redis.Keys(b).Stock, "phone") },
		"replid":   func(w *world, b sale.Bucket) { w.Do("HSET", w.Redis.Keys(b).Meta, "replid", "ffff") },
		"sequence": func(w *world, b sale.Bucket) { w.Do("HSET", w.Redis.Keys(b).Meta, "seq", "0") },
	}
	for reason, spoil := range spoil {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.Stock("phone", 10, 1)
			a := w.Buy(b, "anna")
			w.DB.Release(b, fakes.OrderOf(a, "anna"))
			applier := w.applier()
			applier.learn(b, scripts.WriteID{Epoch: 1, Sequence: 1})
			before := w.Shelf(b)
			spoil(w, b)
			require.NoError(t, applier.applyAll(context.Background()))
			require.Equal(t, []string{fmt.Sprintf("%s epoch 1: %s", b, reason)}, w.DB.Reported())
			if reason != "sku" {
				require.Equal(t, before, w.Shelf(b))
			}
			require.Len(t, w.DB.WaitingRows(), 1)
			require.Equal(t, sale.BucketClosed, w.DB.Row(b).State)
			w.Rebuild(w.DB.Row(b))
			require.Empty(t, w.DB.WaitingRows(), "included in the load")
			require.Equal(t, int64(10), w.Shelf(b).Available)
			require.NoError(t, applier.applyAll(context.Background()))
			require.Equal(t, int64(10), w.Shelf(b).Available)
		})
	}
}

// Without the script nothing is applied, and the applier does not load it.
func TestOutboxApplierDoesNotLoadTheScript(t *testing.T) {
	server := harness.Redis(t)
	w := newWorldOn(t, fakes.On(t, server.Addr), nil)
	b := w.Stock("phone", 10, 1)
	w.DB.Release(b, fakes.OrderOf(w.Buy(b, "anna"), "anna"))
	server.MustDo(t, "SCRIPT", "FLUSH")
	require.NoError(t, w.applier().applyAll(context.Background()))
	require.Equal(t, []string{fmt.Sprintf("%s epoch 1: noscript", b)}, w.DB.Reported())
	require.Equal(t, int64(9), w.Shelf(b).Available)
	lacks, err := w.Redis.LacksScript(context.Background())
	require.NoError(t, err)
	require.True(t, lacks)
}

// A loss that lasts is reported once a second and logged once: the database may not have been able to close the bucket yet.
func TestOutboxApplierRepeatsItsReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, log := fakes.NewDatabase(), &safeBuffer{}
		c := NewOutboxApplier(OutboxApplierOptions{Report: db, Log: slog.New(slog.NewTextHandler(log, nil))})
		b := sale.Bucket{Sale: "sale"}
		for range 25 {
			require.NoError(t, c.reportLost(t.Context(), []lostBucket{{bucket: b, epoch: 4, reason: "order"}}))
			<-time.After(applyEvery)
		}
		require.Len(t, db.Reported(), 3)
		require.Equal(t, 1, countLines(log.String()))
		require.NoError(t, c.reportLost(t.Context(), []lostBucket{{bucket: b, epoch: 5, reason: "order"}}))
		require.Len(t, db.Reported(), 4)
		require.Equal(t, 2, countLines(log.String()))
		db.SetAway(errors.New("away"))
		err := c.reportLost(t.Context(), []lostBucket{{bucket: b, epoch: 6, reason: "order"}})
		require.ErrorContains(t, err, "report bucket sale:0: away")
	})
}

// Rows of an epoch before Redis's are ignored, and those of a later epoch wait.
func TestOutboxApplierAppliesInTheRowsEpochOnly(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	row := func(number, epoch, units int64) sale.OutboxRow {
		credit := w.row(sale.OutboxCredit, "phone", units)
		credit.Bucket, credit.Number, credit.Epoch = b, number, epoch
		return credit
	}
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, int64(2), w.Reading(b).Epoch)
	for _, epoch := range []int64{1, 3} {
		n, _, err := w.applier().apply(context.Background(), []sale.OutboxRow{row(1, epoch, 3)})
		require.NoError(t, err)
		require.Zero(t, n)
	}
	w.Do("HSET", w.Redis.Keys(b).Meta, "loaded_state", "loading")
	n, _, err := w.applier().apply(context.Background(), []sale.OutboxRow{row(1, 2, 3)})
	require.NoError(t, err)
	require.Zero(t, n, "a bucket that is being loaded waits")
	require.Equal(t, int64(10), w.Shelf(b).Available)
	w.Do("HSET", w.Redis.Keys(b).Meta, "loaded_state", "open")
	n, left, err := w.applier().apply(context.Background(), []sale.OutboxRow{row(1, 2, 3), row(3, 2, 1)})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, left, 1, "the row after the page is left")
	require.Equal(t, int64(13), w.Shelf(b).Available)
	require.Empty(t, w.DB.Reported())
}

// row is an outbox row of one SKU of the sale.
func (w *world) row(kind sale.OutboxKind, sku string, units int64) sale.OutboxRow {
	item, known := w.Sale.Item(sku)
	require.True(w.T, known, sku)
	line := sale.OutboxLine{SKU: sku, Units: units, Number: item.Number, Limit: w.Sale.LimitOf(&item)}
	return sale.OutboxRow{Kind: kind, Lines: []sale.OutboxLine{line}}
}

// spoilRow changes the first waiting outbox row.
func (w *world) spoilRow(spoil func(*sale.OutboxRow)) {
	rows := w.DB.Waiting()
	spoil(&rows[0])
	w.DB.SetWaiting(rows...)
}

// While another process owns the lease, while the database is away, and with a row that the database cannot have written,
// nothing is applied, and the next unit finds all rows.
func TestOutboxApplierWaits(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	w.DB.Release(b, fakes.OrderOf(w.Buy(b, "anna"), "anna"))
	applier := w.applier()
	w.DB.HoldLease(string(lease.Outbox), "another")
	require.ErrorIs(t, applier.applyAll(context.Background()), sale.ErrLeaseHeld)
	require.NoError(t, w.DB.ReleaseLease(context.Background(), string(lease.Outbox), "another"))
	away := errors.New("away")
	w.DB.SetAway(away)
	require.ErrorIs(t, applier.applyAll(context.Background()), away)
	w.DB.SetAway(nil)
	w.spoilRow(func(row *sale.OutboxRow) { row.Lines = w.row(sale.OutboxCredit, "phone", 7).Lines })
	require.ErrorContains(t, applier.applyAll(context.Background()), `"release" with 1 orders and 1 lines`)
	require.Equal(t, int64(9), w.Shelf(b).Available)
	w.spoilRow(func(row *sale.OutboxRow) { row.Lines = nil })

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { applier.Run(ctx) })
	fakes.Eventually(t, func() bool { return w.Shelf(b).Available == 10 && len(w.DB.WaitingRows()) == 0 }, "applied")
	cancel()
	running.Wait()
}
