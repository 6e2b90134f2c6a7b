package memory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func bothSKUs(phones, covers int) []sale.Line {
	return []sale.Line{
		{SKU: "phone", Quantity: phones, UnitPriceCents: 129900}, {SKU: "case", Quantity: covers, UnitPriceCents: 900},
	}
}

// An order of several lines is a row with all of them, counts towards the limit of each SKU, and gives all of them back.
func TestOrderOfSeveralLines(t *testing.T) {
	d, _ := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, orderedLines(1, "ann", bothSKUs(2, 1)...), ordered(2, "bob", 1))))
	o, err := d.Order(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, bothSKUs(2, 1), o.Lines)
	require.EqualValues(t, 2*129900+900, sale.TotalCents(o.Lines))

	done := settle(t, d, delivered(1, batch(2, ordered(3, "ann", 1))))
	require.Equal(t, 1, done.Refused, "ann has two phones")
	require.Equal(t, sale.ReasonOverLimit, d.Snapshot().Orders[3].Reason)

	for sku, ids := range map[string][]sale.OrderID{"": {1, 3}, "phone": {1, 3}, "case": {1}, "cable": nil} {
		orders, err := d.BuyerOrders(t.Context(), "eleven", sku, "ann", 0, 10)
		require.NoError(t, err)
		var found []sale.OrderID
		for i := range orders {
			found = append(found, orders[i].OrderID)
		}
		require.Equal(t, ids, found, sku)
	}

	_, err = d.CancelOrder(t.Context(), 1, sale.ReasonBuyer, "ann")
	require.NoError(t, err)
	stored := d.Snapshot()
	require.EqualValues(t, 2, stored.Stock[phones].Released)
	require.EqualValues(t, 1, stored.Stock[sale.Shelf{Bucket: first, SKU: "case"}].Released)
	require.Equal(t, []sale.ReleasedOrder{{OrderID: 1, Buyer: "ann", Lines: bothSKUs(2, 1)}}, stored.Outbox[first][0].Orders)
	require.Zero(t, settle(t, d, delivered(2, batch(3, ordered(4, "ann", 2)))).Refused, "what ann gave back counts not")
}

// A rebuild loads every SKU, and the buyers' orders by the numbers of their items.
func TestLoadsHaveNumbers(t *testing.T) {
	d, _ := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, orderedLines(1, "ann", bothSKUs(2, 1)...), ordered(2, "bob", 1))))
	_, err := d.CancelOrder(t.Context(), 2, sale.ReasonBuyer, "bob")
	require.NoError(t, err)
	rows, err := d.CloseBuckets(t.Context(), []sale.BucketRow{{Bucket: first, Epoch: 1}})
	require.NoError(t, err)
	loads, err := d.BeginLoads(t.Context(), rows)
	require.NoError(t, err)
	require.Equal(t, []sale.ShelfLoad{
		{SKU: "case", Available: 1, Number: 2, Limit: 2}, {SKU: "phone", Available: 8, Number: 1, Limit: 2},
	}, loads[0].Stock)
	require.Equal(t, []sale.RecordOrder{{OrderID: 1, Buyer: "ann", Lines: []sale.Line{
		{SKU: "phone", Quantity: 2, Number: 1}, {SKU: "case", Quantity: 1, Number: 2},
	}}}, loads[0].Owners)
	require.Equal(t, []sale.Line{{SKU: "phone", Quantity: 1, Number: 1}}, loads[0].Released[0].Lines)
	opened, err := d.OpenBuckets(t.Context(), []sale.BucketRow{loads[0].BucketRow})
	require.NoError(t, err)
	require.Len(t, opened, 1)
}

func TestRecordsOfWhatIsNotThereArePoison(t *testing.T) {
	d, _ := selling(10, Hooks{})
	lost := batch(1, orderedLines(1, "ann", sale.Line{SKU: "phone", Quantity: 1}, sale.Line{SKU: "lost", Quantity: 1}))
	elsewhere := batch(1, ordered(1, "ann", 1))
	elsewhere.Bucket = second
	for _, b := range []*sale.Batch{lost, elsewhere} {
		_, err := d.Settle(t.Context(), []sale.Delivery{delivered(0, b)})
		var poison *sale.PoisonError
		require.ErrorAs(t, err, &poison)
		require.Equal(t, sale.PoisonUnknownBucket, poison.Reason)
	}
	_, err := d.Settle(t.Context(), []sale.Delivery{{Record: sale.Record{Transfer: &sale.Transfer{
		Bucket: first, Epoch: 1, Sequence: 1, TransferID: 1, To: 1, Units: []sale.SKUUnits{{SKU: "phone", Units: 1}},
	}}}})
	require.ErrorContains(t, err, "bucket eleven:1 is not in the buckets table")
	require.Empty(t, d.Snapshot().Orders)
}

// An operator refuses a record of a SKU that is not there: the orders end, and a rebuild gives the units back.
func TestRefusedLetterOfAnUnknownSKU(t *testing.T) {
	d, _ := selling(10, Hooks{})
	lost := batch(1, orderedLines(1, "ann", sale.Line{SKU: "phone", Quantity: 1}, sale.Line{SKU: "lost", Quantity: 1}))
	require.NoError(t, d.AddDeadLetter(t.Context(), sale.DeadLetter{ID: "0-0", Raw: sale.AppendBatch(nil, lost)}))
	waiting, err := d.Order(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, sale.ReasonDeadLetter, waiting.Reason)
	require.Equal(t, lost.Orders[0].Lines, waiting.Lines)
	require.Equal(t, "CNY", waiting.Currency)
	require.NoError(t, d.RefuseDeadLetter(t.Context(), "0-0"))
	stored := d.Snapshot()
	require.Equal(t, sale.StatusRefused, stored.Orders[1].Status)
	require.Equal(t, sale.BucketClosed, stored.Buckets[first].State)

	elsewhere := batch(1, ordered(2, "ann", 1))
	elsewhere.Bucket = second
	require.NoError(t, d.AddDeadLetter(t.Context(), sale.DeadLetter{ID: "0-1", Raw: sale.AppendBatch(nil, elsewhere)}))
	require.NoError(t, d.RefuseDeadLetter(t.Context(), "0-1"))
	require.Equal(t, sale.StatusRefused, d.Snapshot().Orders[2].Status, "also of a bucket that is not there")
}

func TestPagesOfTheOutboxAreBounded(t *testing.T) {
	d, _ := selling(10, Hooks{})
	row := func(number int64, orders int) sale.OutboxRow {
		r := sale.OutboxRow{Bucket: first, Number: number, Epoch: 1, Kind: sale.OutboxRelease}
		for range orders {
			r.Orders = append(r.Orders, sale.ReleasedOrder{OrderID: 1, Buyer: "ann", Lines: bothSKUs(1, 1)})
		}
		return r
	}
	d.SeedOutbox(row(1, 1000), row(2, 1000), row(3, 1), row(4, 1))
	rows, err := d.Outbox(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, rows, 2, "4000 lines")
	rows, err = d.Outbox(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, rows, 1)
}

func TestCounters(t *testing.T) {
	d, _ := selling(10, Hooks{})
	settle(t, d, delivered(0, batch(1, ordered(1, "ann", 2))))
	row := sale.BucketCounters{BucketRow: sale.BucketRow{Bucket: first, Epoch: 1, State: sale.BucketOpen}, Sequence: 1}
	cover := sale.ShelfCounters{SKU: "case", Loaded: 2}
	phone := sale.ShelfCounters{SKU: "phone", Loaded: 10, Settled: 2, SettledEpoch: 2}
	all := []sale.StockCounters{{BucketCounters: row, Shelves: []sale.ShelfCounters{cover, phone}}}
	ofSale, err := d.SaleCounters(t.Context(), "eleven")
	require.NoError(t, err)
	require.Equal(t, all, ofSale)
	ofBuckets, err := d.BucketCounters(t.Context(), []sale.Bucket{first})
	require.NoError(t, err)
	require.Equal(t, []sale.BucketCounters{row}, ofBuckets)
	ofStock, err := d.StockCounters(t.Context(), []sale.Bucket{first}, nil)
	require.NoError(t, err)
	require.Equal(t, all, ofStock)
	ofStock, err = d.StockCounters(t.Context(), []sale.Bucket{first}, []string{"phone", "case"})
	require.NoError(t, err)
	require.Equal(t, []sale.ShelfCounters{phone, cover}, ofStock[0].Shelves, "as asked")
	_, err = d.StockCounters(t.Context(), []sale.Bucket{first}, []string{"lost"})
	require.ErrorIs(t, err, sale.ErrNotFound)
	_, err = d.StockCounters(t.Context(), []sale.Bucket{second}, nil)
	require.ErrorIs(t, err, sale.ErrNotFound)
	_, err = d.BucketCounters(t.Context(), []sale.Bucket{second})
	require.ErrorIs(t, err, sale.ErrNotFound)
}

// Orders that a test seeds count as those that the database has settled.
func TestSeededOrdersCount(t *testing.T) {
	d, _ := selling(10, Hooks{})
	d.SeedOrders(first, sale.StatusPaid, ordered(1, "ann", 1))
	require.Equal(t, 1, settle(t, d, delivered(0, batch(1, ordered(2, "ann", 2)))).Refused)
	d.SeedStock(sale.StockCounters{
		BucketCounters: sale.BucketCounters{BucketRow: sale.BucketRow{Bucket: sale.Bucket{Sale: "other"}}},
		Shelves:        []sale.ShelfCounters{{SKU: "a"}, {SKU: "b"}},
	})
	units := d.Snapshot().Stock[sale.Shelf{Bucket: sale.Bucket{Sale: "other"}, SKU: "b"}]
	require.Equal(t, []int{2, sale.MaxLimit}, []int{units.Number, units.Limit}, "of no sale")
}
