package reserve

import (
	"fmt"
	"testing"

	"flashsale/sale"
)

// BenchmarkRound measures what a round computes, without the stores, for as many waiting purchases as there may be: of one SKU,
// of as many as a sale may have, and with the most lines. Every bucket lacks what its buyers want, and others have it.
func BenchmarkRound(b *testing.B) {
	const buckets = 4
	for _, c := range []struct{ skus, lines int }{{1, 1}, {sale.MaxItems, 1}, {sale.MaxItems, sale.MaxLines}} {
		b.Run(fmt.Sprintf("skus=%d/lines=%d", c.skus, c.lines), func(b *testing.B) {
			waiting := make([]*waitingPurchase, maxWaitingPurchases)
			for i := range waiting {
				waiting[i] = &waitingPurchase{home: i % buckets, found: make(chan result, 1)}
				for line := range c.lines {
					sku := fmt.Sprint("sku-", (i/buckets+line)%c.skus)
					waiting[i].lines = append(waiting[i].lines, sale.Line{SKU: sku, Quantity: 1})
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				computeRound(b, waiting, buckets)
			}
		})
	}
}

// computeRound is a round up to the transfers that it would send.
func computeRound(b *testing.B, waiting []*waitingPurchase, buckets int) {
	r := &rebalancer{buckets: make([]sale.Bucket, buckets), pending: pendingTransfers{}}
	skus, taking := r.chooseSKUs(waiting)
	readings, counters := make([]sale.StockReading, buckets), make([]sale.StockCounters, buckets)
	for number := range buckets {
		readings[number].Shelves = make([]sale.ShelfReading, len(skus.names))
		counters[number].Shelves = make([]sale.ShelfCounters, len(skus.names))
		counters[number].State = sale.BucketOpen
	}
	readings[0].Shelves[0].Available = sale.MaxStock
	s := newStockSnapshot(skus.names, readings)
	s.promised[0] = sale.MaxStock // nobody is served by it
	left := s.retryServed(taking)
	s.setCounters(counters)
	if len(left) != len(taking) {
		b.Fatalf("%d of %d are left", len(left), len(taking))
	}
	bringing := &bringing{rebalancer: r, stockSnapshot: s, rank: make([]int, buckets), refuses: make([]bool, buckets)}
	for _, to := range bringing.receivers(left) {
		if giver := bringing.giver(to, true); giver >= 0 {
			b.Fatalf("bucket %d gives", giver)
		}
	}
}
