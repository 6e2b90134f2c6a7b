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
	"flashsale/test/locked"
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
		Epoch: 1, Sequence: 2, WindowsVersion: w.Sale.Version, Outbox: 1, JournalOrders: w.Reading(b).JournalOrders,
		OldestJournal: w.Reading(b).OldestJournal,
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
	before, stock := w.Reading(b), w.Shelf(b)

	for _, applier := range []*OutboxApplier{first, w.applier()} {
		w.DB.SetWaiting(rows...) // the marks were lost
		require.NoError(t, applier.applyAll(context.Background()))
		require.Equal(t, before, w.Reading(b))
		require.Equal(t, stock, w.Shelf(b))
		require.Empty(t, w.DB.WaitingRows())
	}
	credit := sale.OutboxRow{Kind: sale.OutboxCredit, Lines: phones(5)}
	w.DB.Give(b, credit)
	rows = w.DB.Waiting()
	for range 2 {
		require.NoError(t, w.applier().applyAll(context.Background()))
		require.Equal(t, int64(15), w.Shelf(b).Available)
		w.DB.SetWaiting(rows...)
	}
	require.Empty(t, w.DB.Reported())
}

// sharedOutbox is an outbox whose reading gives a bucket one row where another one would give applyRows.
type sharedOutbox struct {
	*fakes.Database
	asked []int
}

func (o *sharedOutbox) Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error) {
	o.asked = append(o.asked, maxRows/applyRows)
	return o.Database.Outbox(ctx, maxRows/applyRows)
}

// An outbox applier has died after Redis applied its page, and the share of the bucket in a reading is smaller now than the page
// was: the next readings grow until they have the page, and it is marked.
func TestOutboxApplierMarksALongerPageOfAnother(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 10, 1)
	for _, buyer := range fakes.Buyers("buyer", 3) {
		w.DB.Release(b, fakes.OrderOf(w.Buy(b, buyer), buyer))
	}
	away := errors.New("away")
	w.DB.SetAway(away)
	_, _, err := w.applier().apply(t.Context(), w.DB.Waiting())
	require.ErrorIs(t, err, away)
	w.DB.SetAway(nil)
	applier, shared := w.applier(), &sharedOutbox{Database: w.DB}
	applier.Outbox = shared
	for range 3 {
		require.Equal(t, []int64{1, 2, 3}, w.DB.WaitingRows())
		require.NoError(t, applier.applyAll(t.Context()))
	}
	require.Empty(t, w.DB.WaitingRows())
	require.Equal(t, []int{1, 2, 4, 1}, shared.asked, "the last one finds nothing")
	require.EqualValues(t, 10, w.Shelf(b).Available)
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
			if after := w.Reading(b); after.Epoch != 0 {
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
		db, log := fakes.NewDatabase(), &locked.Buffer{}
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
	row := func(epoch int64) []sale.OutboxRow {
		return []sale.OutboxRow{{Bucket: b, Number: 1, Epoch: epoch, Kind: sale.OutboxCredit, Lines: phones(3)}}
	}
	w.Rebuild(w.CloseRow(b))
	require.Equal(t, int64(2), w.Reading(b).Epoch)
	for _, epoch := range []int64{1, 3} {
		n, _, err := w.applier().apply(context.Background(), row(epoch))
		require.NoError(t, err)
		require.Zero(t, n)
	}
	w.Do("HSET", w.Redis.Keys(b).Meta, "loaded_state", "loading")
	n, _, err := w.applier().apply(context.Background(), row(2))
	require.NoError(t, err)
	require.Zero(t, n, "a bucket that is being loaded waits")
	require.Equal(t, int64(10), w.Shelf(b).Available)
	w.Do("HSET", w.Redis.Keys(b).Meta, "loaded_state", "open")
	n, left, err := w.applier().apply(context.Background(), append(row(2), sale.OutboxRow{
		Bucket: b, Number: 3, Epoch: 2, Kind: sale.OutboxCredit, Lines: phones(1),
	}))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, left, 1, "the row after the page is left")
	require.Equal(t, int64(13), w.Shelf(b).Available)
	require.Empty(t, w.DB.Reported())
}

// phones are the lines of an outbox row with some units of one SKU.
func phones(units int64) []sale.OutboxLine {
	return []sale.OutboxLine{{SKU: "phone", Units: units, Number: 1, Limit: 1}}
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
	w.spoilRow(func(row *sale.OutboxRow) { row.Lines = phones(7) })
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

// A page has consecutive rows of one bucket and epoch, as many as one call may have.
func TestReleasePages(t *testing.T) {
	b := sale.Bucket{Sale: "sale"}
	of := func(kind sale.OutboxKind, number int64, lines ...sale.OutboxLine) sale.OutboxRow {
		return sale.OutboxRow{Bucket: b, Number: number, Epoch: 1, Kind: kind, Lines: lines}
	}
	row := func(bucket sale.Bucket, number, epoch int64, orders int) sale.OutboxRow {
		r := sale.OutboxRow{Bucket: bucket, Number: number, Epoch: epoch, Kind: sale.OutboxRelease}
		for range orders {
			lines := []sale.Line{{SKU: "phone", Quantity: 1}}
			r.Orders = append(r.Orders, sale.ReleasedOrder{OrderID: 36, Lines: lines, Buyer: "anna"})
		}
		return r
	}
	other := b
	other.Number = 1
	pages, err := releasePages([]sale.OutboxRow{
		row(b, 4, 2, 600), row(b, 5, 2, 400), row(b, 6, 2, 1), row(b, 7, 2, 1), // full after the second
		row(other, 1, 1, 1), {Bucket: other, Number: 2, Epoch: 1, Kind: sale.OutboxCredit, Lines: phones(9)}, // and then a gap
		row(other, 4, 1, 1),
	})
	require.NoError(t, err)
	require.Len(t, pages, 2)
	require.Equal(t, []int{2, 2}, []int{pages[0].Rows, pages[1].Rows})
	require.Equal(t, []int64{4, 1}, []int64{pages[0].First, pages[1].First})
	require.Len(t, pages[0].Orders, 1000)
	require.Equal(t, []string{"1", "8", "1", "2", "0", "1", "1", "phone", "10", "1 1", "anna", "10"}, pages[1].Args(8))
	refusal := row(b, 1, 1, 1)
	refusal.Kind = sale.OutboxRefusal
	pages, err = releasePages([]sale.OutboxRow{refusal, row(b, 2, 1, 1)})
	require.NoError(t, err)
	want := []string{"1", "8", "1", "2", "0", "1", "2", "phone", "2", "", "anna", "anna", "-10", "10"}
	require.Equal(t, want, pages[0].Args(8), "the kind of each order")
	pages, err = releasePages([]sale.OutboxRow{row(b, 1, 1, 1), row(b, 2, 2, 1)})
	require.NoError(t, err)
	require.Equal(t, 1, pages[0].Rows, "an epoch ends a page")
	take := of(sale.OutboxTake, 2, phones(3)...)
	raise := of(sale.OutboxRaise, 3, phones(1)...)
	pages, err = releasePages([]sale.OutboxRow{of(sale.OutboxRaise, 1, phones(0)...), take, raise})
	require.NoError(t, err)
	require.Equal(t, []string{"1", "8", "1", "1", "0", "1", "0", "phone", "0", "1 1"}, pages[0].Args(8), "a take is not in it")
	pages, err = releasePages([]sale.OutboxRow{take, raise})
	require.NoError(t, err)
	require.Len(t, pages, 1)
	require.Equal(t, []string{"1", "8", "2", "1", "1", "1", "0", "phone", "3", "1 1"}, pages[0].Args(8), "nothing follows it")
	for _, bad := range []sale.OutboxRow{
		row(b, 1, 1, 0), row(b, 1, 1, scripts.MaxReleaseOrders+1), {Kind: sale.OutboxCredit},
		{Kind: "gift", Lines: phones(1)}, {Kind: sale.OutboxCredit, Lines: phones(1), Orders: row(b, 1, 1, 1).Orders},
		{Kind: sale.OutboxCredit, Lines: phones(0)}, {Kind: sale.OutboxTake, Lines: append(phones(1), phones(1)...)},
		{Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{{SKU: "phone", Units: 1}}},
		{Kind: sale.OutboxRelease, Orders: []sale.ReleasedOrder{{OrderID: 36, Buyer: "anna"}}},
	} {
		_, err := releasePages([]sale.OutboxRow{bad})
		require.ErrorContains(t, err, "outbox row")
	}
}
