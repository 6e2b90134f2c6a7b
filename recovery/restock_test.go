package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/fakes"
)

// apply applies what waits in the outbox.
func (w *world) apply() {
	w.T.Helper()
	require.NoError(w.T, w.applier().applyAll(context.Background()))
}

// change asks for a change of stock under a key, as often as it takes.
func (w *world) change(sku, key string, units int64) sale.StockChange {
	w.T.Helper()
	asked := sale.StockChange{Sale: w.Sale.ID, SKU: sku, Key: key, Asked: units}
	for {
		change, err := w.DB.ChangeStock(context.Background(), asked)
		require.NoError(w.T, err)
		if change.Done {
			return change
		}
		w.apply()
	}
}

// ask asks for a change of stock once.
func (w *world) ask(sku, key string, units int64) {
	w.T.Helper()
	_, err := w.DB.ChangeStock(context.Background(), sale.StockChange{Sale: w.Sale.ID, SKU: sku, Key: key, Asked: units})
	require.NoError(w.T, err)
}

// Units that the operator adds are for sale once, whatever is repeated; a take-back takes what no buyer has.
func TestOutboxApplierBringsStockChanges(t *testing.T) {
	w := newWorld(t, nil)
	b := w.StockAll(2, []string{"phone", "case"}, []int64{2, 1})[0]
	require.Equal(t, sale.OutcomeQueued, w.Reserve(w.Basket(b, "anna", w.Line("phone", 2), w.Line("case", 1))).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "bert").Outcome)
	for range 2 {
		require.EqualValues(t, 3, w.change("phone", "more", 3).Added)
		w.apply()
		require.EqualValues(t, 3, w.Shelf(b).Available)
	}
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "bert").Outcome)
	require.Zero(t, w.ShelfOf(b, "case").Available, "the other SKU has no more")

	for range 2 {
		back := w.change("phone", "less", -9)
		require.EqualValues(t, -2, back.Added, "three are sold")
		require.EqualValues(t, 3, back.Loaded)
		require.Zero(t, w.Shelf(b).Available)
	}
	require.EqualValues(t, 1, w.Shelf(b).Returned, "three more and two less")
	require.EqualValues(t, 1, w.DB.Units(b, "phone").GivenEpoch)
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "carl").Outcome)
	require.EqualValues(t, 1, w.change("phone", "one", 1).Added)
	w.apply()
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "carl").Outcome)
	require.Empty(t, w.DB.Reported())
}

// Redis has taken units back, and the database has lost the answer: the next unit gets the same answer.
func TestOutboxApplierTakesOnce(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 5, 1)
	asked := sale.StockChange{Sale: "sale", SKU: "phone", Key: "less", Asked: -2}
	_, err := w.DB.ChangeStock(context.Background(), asked)
	require.NoError(t, err)
	rows := w.DB.Waiting()
	require.Len(t, rows, 1)
	first, away := w.applier(), errors.New("away")
	w.DB.SetAway(away)
	_, _, err = first.apply(context.Background(), rows)
	require.ErrorIs(t, err, away, "Redis has applied the row, and it is not marked")
	w.DB.SetAway(nil)
	require.EqualValues(t, 3, w.Shelf(b).Available)
	require.Len(t, w.DB.Waiting(), 1)
	for _, applier := range []*OutboxApplier{first, w.applier()} {
		require.NoError(t, applier.applyAll(context.Background()))
		require.EqualValues(t, 3, w.Shelf(b).Available)
	}
	change, err := w.DB.ChangeStock(context.Background(), asked)
	require.NoError(t, err)
	require.True(t, change.Done)
	require.EqualValues(t, -2, change.Added)
	require.EqualValues(t, 3, w.DB.Units(b, "phone").Loaded)
}

// An outbox applier stalls with a page, and another one marks that page and goes on, up to a take that Redis has applied and the
// database does not know as applied. The reply to the stalled one names that take. It marks nothing, because it does not have
// what Redis found of it: the take would be gone, and its units would stay loaded.
func TestAStalledOutboxApplierMarksNothing(t *testing.T) {
	for name, first := range map[string]func(w *world, b sale.Bucket){
		"release": func(w *world, b sale.Bucket) { w.DB.Release(b, fakes.OrderOf(w.Buy(b, "anna"), "anna")) },
		"raise":   func(w *world, _ sale.Bucket) { w.ask("phone", "more", 1) },
		"take":    func(w *world, _ sale.Bucket) { w.ask("phone", "a few less", -1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			b := w.Stock("phone", 10, 1)
			first(w, b)
			stalled := w.DB.Waiting()
			w.ask("phone", "less", -4)
			loaded := func() int64 { return w.DB.Units(b, "phone").Loaded }

			other, away := w.applier(), errors.New("away")
			n, left, err := other.apply(t.Context(), w.DB.Waiting())
			require.NoError(t, err)
			require.Equal(t, []int{1, 1}, []int{n, len(left)}, "the first row is marked")
			before := loaded()
			w.DB.SetAway(away)
			_, _, err = other.apply(t.Context(), left)
			require.ErrorIs(t, err, away, "the take is applied and not marked")
			w.DB.SetAway(nil)

			n, left, err = w.applier().apply(t.Context(), stalled)
			require.NoError(t, err)
			require.Zero(t, n)
			require.Empty(t, left, "the next unit reads the outbox again")
			require.Equal(t, []int64{2}, w.DB.WaitingRows())
			require.Equal(t, before, loaded())

			w.apply()
			require.Empty(t, w.DB.WaitingRows())
			require.Equal(t, before-4, loaded())
			require.Equal(t, loaded(), w.Shelf(b).Available, "nothing is sold")
			require.Equal(t, w.Shelf(b).Returned, w.DB.Units(b, "phone").GivenEpoch)
			require.Empty(t, w.DB.Reported(), "no bucket is in doubt")
		})
	}
}

// A bucket of many SKUs, with orders of several lines, released ones, and stock changes that wait, is rebuilt as its books say.
func TestRebuildOfManySKUs(t *testing.T) {
	const items = 2500 // more than one chunk of a load
	w := newWorld(t, nil)
	skus, units := make([]string, items), make([]int64, items)
	for i := range skus {
		skus[i], units[i] = fmt.Sprintf("sku-%04d", i), int64(i%7)+2
	}
	buckets := w.StockAll(2, skus, units, units)
	for at := 0; at < items; at += 125 { // a basket of the most lines, one of the last SKU among them
		var lines []sale.Line
		for i := range sale.MaxLines {
			lines = append(lines, w.Line(skus[(at+i*125+124)%items], 1+i%2))
		}
		buyer := fmt.Sprint("buyer-", at)
		for i, b := range buckets {
			bought := w.Reserve(w.Basket(b, buyer, lines...))
			require.Contains(t, []sale.Outcome{sale.OutcomeQueued, sale.OutcomeNotEnough, sale.OutcomeSoldOut}, bought.Outcome)
			if bought.Outcome == sale.OutcomeQueued && i == 0 && at%250 == 0 {
				w.DB.Release(b, fakes.OrderOf(bought, buyer))
			}
		}
	}
	w.ask(skus[0], "less", -100)
	w.ask(skus[items-1], "more", 3)
	w.Rebuild(w.CloseRow(buckets[0]), w.CloseRow(buckets[1]))
	require.Empty(t, w.DB.WaitingRows())
	readings, err := w.Redis.StockReadings(t.Context(), buckets, nil)
	require.NoError(t, err)
	var sold int64
	for i, b := range buckets {
		require.EqualValues(t, 2, readings[i].Epoch)
		require.Len(t, readings[i].Shelves, items)
		for _, shelf := range readings[i].Shelves {
			books := w.DB.Units(b, shelf.SKU)
			item, known := w.Sale.Item(shelf.SKU)
			require.True(t, known)
			require.Equal(t, sale.ShelfReading{
				SKU: shelf.SKU, Available: books.Loaded - books.Settled + books.Released, Limit: 2, Number: item.Number,
			}, shelf)
			sold += books.Settled - books.Released
		}
		require.Zero(t, w.ShelfOf(b, skus[0]).Available, "everything unsold is taken back")
	}
	require.Positive(t, sold)
	require.Equal(t, sale.OutcomeAlreadyBought, w.Reserve(w.Basket(buckets[1], "buyer-0", w.Line(skus[249], 1))).Outcome)
	require.Equal(t, sale.OutcomeQueued, w.Reserve(w.Basket(buckets[0], "buyer-0", w.Line(skus[249], 1))).Outcome,
		"the order in this bucket was released")
}

// A rebuild has the units that were added, and decides the take-backs that Redis has not applied by the database alone.
func TestRebuildAbsorbsStockChanges(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 3, 1)
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	for key, units := range map[string]int64{"more": 2, "less": -9} {
		_, err := w.DB.ChangeStock(context.Background(), sale.StockChange{Sale: "sale", SKU: "phone", Key: key, Asked: units})
		require.NoError(t, err)
	}
	w.Rebuild(w.CloseRow(b))
	require.Empty(t, w.DB.WaitingRows())
	free := w.DB.Units(b, "phone").Loaded - 1
	require.Equal(t, free, w.Shelf(b).Available)
	more, less := w.change("phone", "more", 2), w.change("phone", "less", -9)
	require.Zero(t, w.Shelf(b).Available, "the take-back asks for what it has not found yet")
	require.EqualValues(t, 2, more.Added)
	require.EqualValues(t, -4, less.Added)
	require.EqualValues(t, 1, less.Loaded)
	require.Equal(t, sale.OutcomeSoldOut, w.Buy(b, "bert").Outcome)
}

// An item that is added while the sale sells comes to Redis by the outbox, also without units.
func TestOutboxApplierBringsNewItems(t *testing.T) {
	w := newWorld(t, nil)
	b := w.Stock("phone", 3, 1)
	w.Sale.Eligibility = sale.EligibilityOpen
	w.Sale = w.DB.PutSale(w.Sale)
	own := 2
	wanted, err := w.DB.Sale(context.Background(), "sale")
	require.NoError(t, err)
	wanted.Items = append(wanted.Items, sale.Item{SKU: "case", Stock: 4, PriceCents: 5, PerBuyerLimit: &own},
		sale.Item{SKU: "cable"})
	w.Sale, _, err = w.DB.Database.PutSale(context.Background(), wanted)
	require.NoError(t, err)
	w.apply()
	require.Equal(t, sale.ShelfReading{SKU: "case", Available: 4, Returned: 4, Limit: 2, Number: 2}, w.ShelfOf(b, "case"))
	require.Equal(t, sale.ShelfReading{SKU: "cable", Limit: 1, Number: 3}, w.ShelfOf(b, "cable"))
	require.Equal(t, sale.OutcomeQueued, w.Reserve(w.Basket(b, "anna", w.Line("phone", 1), w.Line("case", 2))).Outcome)
	require.Equal(t, sale.OutcomeSoldOut, w.Reserve(w.Basket(b, "bert", w.Line("cable", 1))).Outcome)
	w.Rebuild(w.CloseRow(b))
	require.EqualValues(t, 2, w.ShelfOf(b, "case").Available)
	require.Empty(t, w.DB.Reported())
}
