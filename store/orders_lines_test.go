package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestOrderOfSeveralLines(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 10, 2)
		ann := lined("ann", units("cable", 2), units("phone", 1))
		ann.Lines[0].UnitPriceCents = 0 // the price that the buyer was told
		d := batch(bucket, 1, 1, ann, one("bob", 1))
		require.Equal(t, sale.Settlement{Rows: 2}, settle(t, s, d))
		for range 2 {
			got := order(t, s, ann.OrderID)
			require.Equal(t, ann.Lines, got.Lines, "in the order of the buyer")
			require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM orders WHERE sku IS NULL AND unit_price_cents IS NULL "+
				"AND line_count = 2 AND quantity = 3 AND total_cents = ?", price))
			require.Equal(t, 2, count(t, s, "SELECT COUNT(*) FROM order_lines"), "an order of one line has none here")
			for sku, settled := range map[string]int64{"phone": 2, "cable": 2, "case": 0} {
				require.Equal(t, settled, booksOf(t, s, bucket, sku).Settled, sku)
				require.Equal(t, settled, booksOf(t, s, bucket, sku).SettledEpoch, sku)
			}
			require.Equal(t, sale.Settlement{Duplicate: 1}, settle(t, s, d))
		}
		told := drained(t, s)
		require.Equal(t, ann.Lines, told[0].Lines)

		require.Equal(t, ann.Lines, cancel(t, s, ann.OrderID).Lines)
		require.Equal(t, given(ann), waiting(t, s, bucket)[0].Orders)
		for sku, released := range map[string]int64{"phone": 1, "cable": 2, "case": 0} {
			require.Equal(t, released, booksOf(t, s, bucket, sku).Released, sku)
		}
		ledgerAgrees(t, s, bucket)
	})
}

// An order is confirmed with all of its lines or with none.
func TestLinesAreTakenTogether(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		of := draft("wide", 3, item("phone", 10), item("case", 2), limited(item("cable", 10), 1))
		of.SaleLimit = 5
		bucket := selling(t, s, of)[0].Bucket
		sequence := int64(0)
		settles := func(reason sale.OrderReason, o sale.RecordOrder) {
			t.Helper()
			sequence++
			settle(t, s, batch(bucket, countersOf(t, s, bucket).Epoch, sequence, o))
			require.Equal(t, reason, order(t, s, o.OrderID).Reason)
			require.Equal(t, o.Lines, order(t, s, o.OrderID).Lines, "a refused order has its lines")
			if reason != "" {
				require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State)
				reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
			}
		}
		settles(sale.ReasonSoldOut, lined("ann", units("phone", 1), units("case", 3)))
		settles(sale.ReasonOverLimit, lined("ann", units("phone", 1), units("cable", 2)))
		settles("", lined("ann", units("phone", 2), units("case", 1), units("cable", 1)))
		settles(sale.ReasonOverLimit, lined("ann", units("phone", 1), units("cable", 1)))
		settles(sale.ReasonOverLimit, one("ann", 2)) // beyond the limit of the SKU
		settles("", one("ann", 1))
		settles(sale.ReasonOverLimit, lined("ann", units("case", 1)))
		settles("", one("bob", 3))
		settles(sale.ReasonSoldOut, lined("bob", units("case", 2), units("cable", 1)))
		ledgerAgrees(t, s, bucket)
		require.EqualValues(t, 6, countersOf(t, s, bucket).Settled)
	})
}

// Readers of many orders find each with its lines, in statements that do not depend on the number of the orders.
func TestManyOrdersOfSeveralLines(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 5000, 3)
		var orders []sale.RecordOrder
		for i := range 900 {
			o := basket(fmt.Sprintf("buyer-%d", i))
			if i%3 == 0 {
				o = lined(o.Buyer, units("case", 2))
			}
			orders = append(orders, o)
		}
		settle(t, s, batch(bucket, 1, 1, orders[:450]...), batch(bucket, 1, 2, orders[450:]...))
		wanted := map[sale.OrderID][]sale.Line{}
		ids := make([]sale.OrderID, len(orders))
		for i, o := range orders {
			wanted[o.OrderID], ids[i] = o.Lines, o.OrderID
		}
		sent := statements(t, s)
		requireLines := func(found []sale.Order) {
			t.Helper()
			got := map[sale.OrderID][]sale.Line{}
			for _, o := range found {
				got[o.OrderID] = o.Lines
			}
			require.Equal(t, wanted, got)
		}
		var streamed []sale.Order
		require.NoError(t, s.EachOrder(t.Context(), "wide",
			func(o sale.Order) error { streamed = append(streamed, o); return nil }))
		requireLines(streamed)
		found, err := s.Orders(t.Context(), ids)
		require.NoError(t, err)
		requireLines(found)
		requireLines(drained(t, s))
		require.Less(t, statements(t, s)-sent, 40)

		loads, err := s.BeginLoads(t.Context(), closedRows(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow}))
		require.NoError(t, err)
		require.ElementsMatch(t, inRedis([]string{"phone", "case", "cable"}, orders...), loads[0].Owners)
		ledgerAgrees(t, s, bucket)
	})
}

// An order of several lines is found under each of its SKUs, and once among all orders of its buyer.
func TestBuyerOrdersBySKU(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 100, 9)
		phones, both := one("ann", 1), lined("ann", units("case", 1), units("phone", 1))
		settle(t, s, batch(bucket, 1, 1, phones, both, one("bob", 1)))
		letters := batch(bucket, 1, 2, lined("ann", units("cable", 1), units("case", 1)))
		add(t, s, letter(letters, 1))
		waits := letters.Record.Batch.BatchID
		for sku, wanted := range map[string][]sale.OrderID{
			"": {phones.OrderID, both.OrderID, waits}, "phone": {phones.OrderID, both.OrderID}, "case": {both.OrderID, waits},
			"cable": {waits}, "other": nil,
		} {
			found, err := s.BuyerOrders(t.Context(), "wide", sku, "ann", 0, 10)
			require.NoError(t, err)
			var ids []sale.OrderID
			for _, o := range found {
				ids = append(ids, o.OrderID)
			}
			require.Equal(t, wanted, ids, sku)
		}
		page, err := s.BuyerOrders(t.Context(), "wide", "case", "ann", both.OrderID, 10)
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.Equal(t, letters.Record.Batch.Orders[0].Lines, page[0].Lines)
	})
}

func TestMissingLinesAreAnError(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := wide(t, s, 100, 1)
		o := basket("ann")
		settle(t, s, batch(bucket, 1, 1, o))
		for _, gone := range []string{"DELETE FROM order_lines WHERE line = 2", "DELETE FROM order_lines"} {
			_, err := s.db.Exec(gone)
			require.NoError(t, err)
			_, err = s.Order(t.Context(), o.OrderID)
			require.ErrorContains(t, err, o.OrderID.String())
			require.ErrorContains(t, s.EachOrder(t.Context(), "wide", func(sale.Order) error { return nil }), o.OrderID.String())
		}
	})
}

// A transfer moves several SKUs together or not at all.
func TestTransferOfSeveralSKUs(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 20), item("case", 4))))
		a, b := rows[0].Bucket, rows[1].Bucket
		d := transferOf(a, 1, 1, 5, sale.SKUUnits{SKU: "case", Units: 2}, sale.SKUUnits{SKU: "phone", Units: 7})
		require.Equal(t, sale.Settlement{}, settle(t, s, d))
		require.Equal(t, map[string][]int64{"phone": {3, 17}, "case": {0, 4}}, loaded(t, s, "eleven"))
		require.Equal(t, []sale.OutboxRow{{Bucket: b, Number: 1, Epoch: 1, Kind: sale.OutboxCredit, Lines: []sale.OutboxLine{
			{SKU: "case", Units: 2, Number: 2, Limit: 1}, {SKU: "phone", Units: 7, Number: 1, Limit: 1},
		}}}, waiting(t, s, b))
		require.Equal(t, []int64{2, 7}, []int64{booksOf(t, s, a, "case").MovedEpoch, countersOf(t, s, a).MovedEpoch})
		more := transferOf(a, 1, 1, 6, sale.SKUUnits{SKU: "phone", Units: 1}, sale.SKUUnits{SKU: "case", Units: 1})
		require.Equal(t, sale.Settlement{Closed: []sale.Bucket{a}}, settle(t, s, more), "it has no case")
		require.Equal(t, map[string][]int64{"phone": {3, 17}, "case": {0, 4}}, loaded(t, s, "eleven"))
	})
}

func TestStockCounters(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 20), item("case", 4), item("a", 2))))
		settle(t, s, batch(rows[1].Bucket, 1, 7, lined("ann", units("case", 1), units("phone", 1))))
		buckets := []sale.Bucket{rows[1].Bucket, rows[0].Bucket}
		got, err := s.StockCounters(t.Context(), buckets, []string{"phone", "case"})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.EqualValues(t, 7, got[0].Sequence)
		require.Equal(t, []sale.ShelfCounters{
			{SKU: "phone", Loaded: 10, Settled: 1, SettledEpoch: 1}, {SKU: "case", Loaded: 2, Settled: 1, SettledEpoch: 1},
		}, got[0].Shelves)
		require.Equal(t, []sale.ShelfCounters{{SKU: "phone", Loaded: 10}, {SKU: "case", Loaded: 2}}, got[1].Shelves)

		all, err := s.StockCounters(t.Context(), buckets, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "case", "phone"}, []string{
			all[1].Shelves[0].SKU, all[1].Shelves[1].SKU, all[1].Shelves[2].SKU,
		})
		ofSale, err := s.SaleCounters(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, []sale.StockCounters{all[1], all[0]}, ofSale)
		_, err = s.StockCounters(t.Context(), buckets, []string{"phone", "other"})
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.StockCounters(t.Context(), []sale.Bucket{{Sale: "x"}}, nil)
		require.ErrorIs(t, err, sale.ErrNotFound)
		none, err := s.SaleCounters(t.Context(), "nowhere")
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
