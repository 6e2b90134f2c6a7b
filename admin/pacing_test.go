package admin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// shelfCost is the time that Redis needs for one shelf of a reading, measured with HGETALL of 10,000 fields.
const shelfCost = 150 * time.Nanosecond

// wideSale is a store of one open sale of many SKUs in some buckets, whose books balance until spoil.
type wideSale struct {
	of   sale.Sale
	took time.Duration // of each reading of the database

	mu       sync.Mutex
	readings []sale.StockReading
	books    []sale.StockCounters
	read     int // shelves of Redis that were read
	spoiling bool
	reason   string

	spoiledAt, pausedAt time.Time
}

func newWideSale(skus, buckets int, took time.Duration) *wideSale {
	w := &wideSale{of: sale.Sale{ID: "s", State: sale.StateOpen, Buckets: buckets, EndsAt: sale.TimeMillis(1 << 52)}, took: took}
	for i := range skus {
		w.of.Items = append(w.of.Items, sale.Item{SKU: fmt.Sprintf("sku-%05d", i), Stock: 5})
	}
	for _, bucket := range w.of.BucketNames() {
		books := sale.StockCounters{BucketCounters: sale.BucketCounters{
			BucketRow: sale.BucketRow{Bucket: bucket, Epoch: 1, State: sale.BucketOpen}}}
		reading := sale.StockReading{Reading: sale.Reading{Epoch: 1}}
		for i := range w.of.Items {
			books.Shelves = append(books.Shelves, sale.ShelfCounters{SKU: w.of.Items[i].SKU, Loaded: 5})
			reading.Shelves = append(reading.Shelves, sale.ShelfReading{SKU: w.of.Items[i].SKU, Available: 5})
		}
		w.books, w.readings = append(w.books, books), append(w.readings, reading)
	}
	return w
}

// spoil credits a unit of one SKU to another: the sum of the sale still balances. It happens at the worst moment, right
// after a reading.
func (w *wideSale) spoil() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoiling = true
}

func (w *wideSale) Sales(context.Context) ([]sale.Sale, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return []sale.Sale{w.of}, nil
}

func (w *wideSale) SaleCounters(context.Context, string) ([]sale.StockCounters, error) {
	<-time.After(w.took)
	return w.books, nil
}

func (w *wideSale) StockReadings(context.Context, []sale.Bucket, []string) ([]sale.StockReading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := slices.Clone(w.readings)
	for i := range seen {
		seen[i].Shelves = slices.Clone(seen[i].Shelves)
		w.read += len(seen[i].Shelves)
	}
	if w.spoiling {
		last := len(w.of.Items) - 1
		w.readings[0].Shelves[0].Available--
		w.readings[0].Shelves[last].Available++
		w.spoiling, w.spoiledAt = false, time.Now()
	}
	return seen, nil
}

func (w *wideSale) PauseSale(_ context.Context, _, reason string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of.State, w.pausedAt, w.reason = sale.StatePaused, time.Now(), reason
	return nil
}

func (w *wideSale) AcquireLease(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}
func (w *wideSale) ReleaseLease(context.Context, string, string) error { return nil }

// TestWideSalesArePausedInTime: however many SKUs a sale has, the readings cost Redis less than 0.5 % of a core, and a unit
// that is credited to another SKU pauses the sale within the time that docs/operations.md states.
func TestWideSalesArePausedInTime(t *testing.T) {
	for name, test := range map[string]struct {
		skus, buckets int
		took          time.Duration // of a round
		within        time.Duration
	}{
		"two SKUs":                      {2, 1, 5 * time.Millisecond, 5 * time.Second},
		"10,000 SKUs":                   {sale.MaxItems, 1, 200 * time.Millisecond, 5 * time.Second},
		"10,000 SKUs in two buckets":    {sale.MaxItems, 2, 250 * time.Millisecond, 5 * time.Second},
		"10,000 SKUs in as many as fit": {sale.MaxItems, 6, 500 * time.Millisecond, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWideSale(test.skus, test.buckets, test.took)
				g, err := NewGauges(w, w, prometheus.NewRegistry(), GaugeOptions{
					Pauser: w, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
				})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); g.Run(ctx) }()
				const calm = 20 * time.Second
				<-time.After(calm)
				synctest.Wait()
				require.True(t, w.pausedAt.IsZero(), w.reason)
				cost := time.Duration(w.read) * shelfCost
				require.Less(t, cost.Seconds()/calm.Seconds(), 0.005)
				require.Greater(t, w.read, test.skus*test.buckets*5, "it is read often enough")

				w.spoil()
				<-time.After(12 * time.Second)
				synctest.Wait()
				require.False(t, w.pausedAt.IsZero())
				require.Less(t, w.pausedAt.Sub(w.spoiledAt), test.within)
				require.Contains(t, w.reason, "SKU sku-00000 is off by 1 units")
				t.Logf("%.2f %% of a core, paused after %s", 100*cost.Seconds()/calm.Seconds(), w.pausedAt.Sub(w.spoiledAt))
				cancel()
				<-ended
			})
		})
	}
}
