package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// ledgerOf is a ledger of one bucket in epoch 1 of which nothing is known but its stock.
func ledgerOf(stock int64, limit int, closely bool) (*ledger, sale.Bucket) {
	bucket := sale.Bucket{Sale: "eleven", SKU: "phone"}
	row := &stockRow{limit: limit, readAt: datetime(noon)}
	row.BucketRow = sale.BucketRow{Bucket: bucket, Epoch: 1, State: sale.BucketOpen}
	row.Loaded = stock
	l := &ledger{closely: closely, stock: map[sale.Bucket]*stockRow{bucket: row}, slots: map[owner]*slots{}}
	if closely {
		l.markers, l.forks, l.orders = map[place]sale.OrderID{}, map[mark]bool{}, map[sale.OrderID]bool{}
	}
	return l, bucket
}

func decide(l *ledger, deliveries ...sale.Delivery) *plan {
	p := newPlan(l)
	for i, d := range deliveries {
		p.settle(&delivered{d.Record.Batch, i, d.Record.Batch.CreatedMS})
	}
	return p
}

// Where nothing is out of the ordinary, deciding hastily is deciding closely.
func TestHastyPlansAreTheSame(t *testing.T) {
	for _, limit := range []int{1, 3} {
		_, bucket := ledgerOf(0, limit, false)
		first, second := batch(bucket, 1, 1, crowd(3)...), batch(bucket, 1, 2, crowd(2)...)
		hastyLedger, _ := ledgerOf(10, limit, false)
		closeLedger, _ := ledgerOf(10, limit, true)
		hasty, closely := decide(hastyLedger, first, second, first), decide(closeLedger, first, second, first)
		require.False(t, hasty.lookCloser)
		require.Equal(t, sale.Settlement{Rows: 5, Duplicate: 1}, hasty.done)
		hasty.books, closely.books = nil, nil
		require.Equal(t, closely, hasty)
	}
}

// Whatever needs what a hasty ledger has not read asks for a closer look instead of deciding.
func TestHastyPlansLookCloser(t *testing.T) {
	_, bucket := ledgerOf(0, 1, false)
	first := batch(bucket, 1, 1, one("ann", 1))
	for name, c := range map[string]struct {
		stock      int64
		deliveries []sale.Delivery
	}{
		"late":               {10, []sale.Delivery{batch(bucket, 2, 1, one("ann", 1))}},
		"fork":               {10, []sale.Delivery{first, batch(bucket, 1, 1, one("bob", 1))}},
		"beyond loaded":      {1, []sale.Delivery{first, batch(bucket, 1, 2, one("bob", 1))}},
		"beyond the limit":   {10, []sale.Delivery{batch(bucket, 1, 1, one("ann", 2))}},
		"nothing was loaded": {0, []sale.Delivery{first}},
	} {
		l, _ := ledgerOf(c.stock, 1, false)
		require.True(t, decide(l, c.deliveries...).lookCloser, name)
	}
}

func TestPlanClosesOncePerBucket(t *testing.T) {
	l, bucket := ledgerOf(1, 1, true)
	p := decide(l, batch(bucket, 1, 1, crowd(2)...), batch(bucket, 1, 2, crowd(1)...), batch(bucket, 1, 2, crowd(1)...))
	require.Equal(t, sale.Settlement{Rows: 4, Refused: 3, Closed: []sale.Bucket{bucket}}, p.done)
	require.Equal(t, "settlement: an order could not be inserted", p.closing[bucket], "the first reason stands")
	require.Equal(t, &move{epoch: 1, settled: 1, units: 4}, p.moves[bucket])
	require.Len(t, p.markers, 2)
	require.Len(t, p.forks, 1)
}
