package memory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// preloaded is a database with a sale of two buckets, 10 phones and 4 cases, whose buckets are open.
func preloaded(t *testing.T) (*Database, sale.Sale) {
	t.Helper()
	start := sale.TimeMillis(noonMS)
	at := &clock{time.UnixMilli(noonMS)}
	d := New(Options{Now: at.now})
	limit := 3
	put, created, err := d.PutSale(t.Context(), sale.Sale{
		ID: "eleven", Name: "Eleven", StartsAt: start, EndsAt: sale.Time{Time: start.Add(time.Hour)}, Currency: "CNY",
		PerBuyerLimit: 1, SaleLimit: 5, PaymentTTL: 900, Eligibility: sale.EligibilityOpen, Buckets: 2,
		Items: []sale.Item{{SKU: "phone", Stock: 10, PriceCents: 129900}, {SKU: "case", Stock: 4, PerBuyerLimit: &limit}},
	})
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, []int{1, 2}, []int{put.Items[0].Number, put.Items[1].Number})
	rows, err := d.LoadStock(t.Context(), "eleven", 8)
	require.NoError(t, err)
	open(t, d, rows)
	_, err = d.SetState(t.Context(), "eleven", sale.StateOpen, sale.StateDraft)
	require.NoError(t, err)
	put, err = d.Sale(t.Context(), "eleven")
	require.NoError(t, err)
	return d, put
}

func open(t *testing.T, d *Database, rows []sale.BucketRow) (loads []sale.Load) {
	t.Helper()
	loads, err := d.BeginLoads(t.Context(), rows)
	require.NoError(t, err)
	for i := range rows {
		rows[i].Epoch++
	}
	opened, err := d.OpenBuckets(t.Context(), rows)
	require.NoError(t, err)
	require.Len(t, opened, len(rows))
	return loads
}

func shelf(number int, sku string) sale.Shelf {
	return sale.Shelf{Bucket: sale.Bucket{Sale: "eleven", Number: number}, SKU: sku}
}

func loadedOf(d *Database, sku string) [2]int64 {
	stored := d.Snapshot()
	return [2]int64{stored.Stock[shelf(0, sku)].Loaded, stored.Stock[shelf(1, sku)].Loaded}
}

func stockOf(d *Database, sku string) int64 {
	item, _ := d.Snapshot().Sales["eleven"].Item(sku)
	return item.Stock
}

func TestFirstPreloadMakesTheRows(t *testing.T) {
	d, _ := preloaded(t)
	require.Equal(t, [2]int64{5, 5}, loadedOf(d, "phone"))
	stored := d.Snapshot()
	require.Equal(t, []int{2, 3}, []int{stored.Stock[shelf(1, "case")].Number, stored.Stock[shelf(1, "case")].Limit})
	require.Equal(t, 5, stored.Buckets[first].SaleLimit)
	again, err := d.LoadStock(t.Context(), "eleven", 8)
	require.NoError(t, err)
	require.Empty(t, again, "they are open")
}

// PUT of another stock: what is raised is loaded at once, what is lowered when the takes are applied.
func TestPutOfAnotherStock(t *testing.T) {
	d, wanted := preloaded(t)
	wanted.Items = append([]sale.Item{{SKU: "cable", Stock: 1}}, wanted.Items...)
	wanted.Items[1].Stock, wanted.Items[2].Stock = 13, 1
	version := d.Snapshot().Version
	put, created, err := d.PutSale(t.Context(), wanted)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, version+1, put.Version)
	require.Equal(t, []int{3, 1, 2}, []int{put.Items[0].Number, put.Items[1].Number, put.Items[2].Number})
	require.Equal(t, []int64{1, 13, 4}, []int64{put.Items[0].Stock, put.Items[1].Stock, put.Items[2].Stock})
	require.Equal(t, [2]int64{7, 6}, loadedOf(d, "phone"))
	require.Equal(t, [2]int64{1, 0}, loadedOf(d, "cable"))
	rows, err := d.Outbox(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, sale.OutboxTake, rows[3].Kind)

	put, _, err = d.PutSale(t.Context(), wanted)
	require.NoError(t, err)
	require.Equal(t, version+1, put.Version, "the same again changes nothing")
	require.Equal(t, 4, func() int { s := d.Snapshot(); return s.Waiting() }())

	applied := []sale.Applied{
		{Bucket: first, Epoch: 1, Number: 1, Sequence: 1},
		{Bucket: first, Epoch: 1, Number: 2, Sequence: 2, Took: []sale.SKUUnits{{SKU: "case", Units: 1}}},
		{Bucket: second, Epoch: 1, Number: 1, Sequence: 1},
		{Bucket: second, Epoch: 1, Number: 2, Sequence: 2, Took: []sale.SKUUnits{{SKU: "case", Units: 1}}}, // one was sold
	}
	require.NoError(t, d.OutboxDone(t.Context(), applied))
	require.NoError(t, d.OutboxDone(t.Context(), applied), "once")
	require.EqualValues(t, 2, stockOf(d, "case"))
	require.Equal(t, [2]int64{1, 1}, loadedOf(d, "case"))
	require.Equal(t, version+2, d.Snapshot().Version, "gateways learn of the stock")
	counters, err := d.StockCounters(t.Context(), []sale.Bucket{first}, []string{"case", "phone"})
	require.NoError(t, err)
	require.Equal(t, []int64{-1, 2}, []int64{counters[0].Shelves[0].GivenEpoch, counters[0].Shelves[1].GivenEpoch})
}

func TestPutOfWhatIsFixed(t *testing.T) {
	d, wanted := preloaded(t)
	wanted.Buckets = 4
	_, _, err := d.PutSale(t.Context(), wanted)
	var state *sale.StateError
	require.ErrorAs(t, err, &state)
	wanted.Buckets, wanted.Items = 2, wanted.Items[:1]
	_, _, err = d.PutSale(t.Context(), wanted)
	require.ErrorAs(t, err, &state)
	wanted.ID = "_"
	_, _, err = d.PutSale(t.Context(), wanted)
	var field *sale.FieldError
	require.ErrorAs(t, err, &field)
	wanted.ID, wanted.Name = "eleven", ""
	_, _, err = d.PutSale(t.Context(), wanted)
	require.ErrorAs(t, err, &field)
}

func TestDraftsChangeFreely(t *testing.T) {
	d, wanted := preloaded(t)
	wanted.ID = "twelve"
	_, _, err := d.PutSale(t.Context(), wanted)
	require.NoError(t, err)
	wanted.Buckets, wanted.Items = 4, []sale.Item{{SKU: "new", Stock: 1}, wanted.Items[1]}
	put, created, err := d.PutSale(t.Context(), wanted)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, []int{3, 2}, []int{put.Items[0].Number, put.Items[1].Number})
	require.Equal(t, 4, put.Buckets)
}

func TestChangeStockAddsOnce(t *testing.T) {
	d, _ := preloaded(t)
	ask := sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k1", Asked: 3}
	want := ask
	want.Added, want.Loaded, want.Done = 3, 13, true
	for range 2 {
		got, err := d.ChangeStock(t.Context(), ask)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Equal(t, [2]int64{7, 6}, loadedOf(d, "phone"))
	require.EqualValues(t, 13, stockOf(d, "phone"))
	ask.Asked = 4
	_, err := d.ChangeStock(t.Context(), ask)
	require.ErrorIs(t, err, sale.ErrChangeReused)
	ask.SKU = "case"
	got, err := d.ChangeStock(t.Context(), ask)
	require.NoError(t, err)
	require.EqualValues(t, 8, got.Loaded, "the key of another SKU")
}

func TestChangeStockTakesWhatIsUnsold(t *testing.T) {
	d, _ := preloaded(t)
	settle(t, d, delivered(0, batch(1, orderedLines(1, "ann", sale.Line{SKU: "phone", Quantity: 1}))))
	ask := sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k1", Asked: -100}
	got, err := d.ChangeStock(t.Context(), ask)
	require.NoError(t, err)
	require.False(t, got.Done)
	require.EqualValues(t, 10, got.Loaded)
	require.NoError(t, d.OutboxDone(t.Context(), []sale.Applied{
		{Bucket: first, Epoch: 1, Number: 1, Sequence: 2, Took: []sale.SKUUnits{{SKU: "phone", Units: 3}}},
	}))
	got, err = d.ChangeStock(t.Context(), ask)
	require.NoError(t, err)
	require.False(t, got.Done, "the other bucket's take is open")
	require.EqualValues(t, -3, got.Added)

	// The other bucket is rebuilt before Redis has applied its take.
	rows, err := d.CloseBuckets(t.Context(), []sale.BucketRow{{Bucket: second, Epoch: 1}})
	require.NoError(t, err)
	loads := open(t, d, rows)
	require.Equal(t, []sale.ShelfLoad{{SKU: "case", Available: 2, Number: 2, Limit: 3}, {SKU: "phone", Number: 1, Limit: 1}},
		loads[0].Stock)
	got, err = d.ChangeStock(t.Context(), ask)
	require.NoError(t, err)
	require.False(t, got.Done, "the first bucket has one more unit, by the database")
	require.EqualValues(t, -8, got.Added)
	require.NoError(t, d.OutboxDone(t.Context(), []sale.Applied{
		{Bucket: first, Epoch: 1, Number: 2, Sequence: 3, Took: []sale.SKUUnits{{SKU: "phone", Units: 1}}},
	}))
	got, err = d.ChangeStock(t.Context(), ask)
	require.NoError(t, err)
	want := ask
	want.Added, want.Loaded, want.Done = -9, 1, true
	require.Equal(t, want, got)
	require.EqualValues(t, 1, stockOf(d, "phone"))
	require.Equal(t, [2]int64{1, 0}, loadedOf(d, "phone"))
}

func TestChangesThatAreNotAllowed(t *testing.T) {
	d, draft := preloaded(t)
	draft.ID = "twelve"
	_, _, err := d.PutSale(t.Context(), draft)
	require.NoError(t, err)
	ask := func(saleID, sku string, n int64) error {
		_, err := d.ChangeStock(t.Context(), sale.StockChange{Sale: saleID, SKU: sku, Key: "k1", Asked: n})
		return err
	}
	require.ErrorIs(t, ask("thirteen", "phone", 1), sale.ErrNotFound)
	require.ErrorIs(t, ask("eleven", "lost", 1), sale.ErrNotFound)
	var field *sale.FieldError
	for _, n := range []int64{0, sale.MaxStock - 9, sale.MaxStock + 1, -sale.MaxStock - 1} {
		require.ErrorAs(t, ask("eleven", "phone", n), &field, "%d", n)
		require.Equal(t, "add", field.Field)
	}
	var state *sale.StateError
	require.ErrorAs(t, ask("twelve", "phone", 1), &state)
	require.NoError(t, ask("eleven", "phone", 1))
	_, err = d.SetState(t.Context(), "eleven", sale.StateClosed, sale.StateOpen)
	require.NoError(t, err)
	require.NoError(t, ask("eleven", "phone", 1), "known")
	require.ErrorAs(t, ask("eleven", "case", 1), &state)
}

// A snapshot keeps the stock of its moment.
func TestSnapshotKeepsTheStock(t *testing.T) {
	d, _ := preloaded(t)
	before := d.Snapshot()
	_, err := d.ChangeStock(t.Context(), sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k1", Asked: 3})
	require.NoError(t, err)
	require.EqualValues(t, 10, before.Sales["eleven"].Items[0].Stock)
	require.EqualValues(t, 5, before.Stock[shelf(0, "phone")].Loaded)
	require.Empty(t, before.Changes)
}
