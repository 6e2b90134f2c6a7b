package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// together runs work n times at once and returns the first error.
func together(n int, work func(i int) error) error {
	var group sync.WaitGroup
	faults := make([]error, n)
	for i := range n {
		group.Go(func() { faults[i] = work(i) })
	}
	group.Wait()
	return errors.Join(faults...)
}

func TestSameRecordsSettledAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		var deliveries []sale.Delivery
		for sequence := range int64(20) {
			deliveries = append(deliveries, batch(bucket, 1, sequence, crowd(5)...))
		}
		var written, duplicate atomic.Int64
		err := together(4, func(i int) error {
			for d := i; d < len(deliveries); d++ { // overlapping, from different starts
				done, err := s.Settle(t.Context(), deliveries[d:min(d+3, len(deliveries))])
				if err != nil {
					return err
				}
				written.Add(int64(done.Rows))
				duplicate.Add(int64(done.Duplicate))
			}
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 100, written.Load())
		require.Positive(t, duplicate.Load())
		require.EqualValues(t, 100, countersOf(t, s, bucket).Settled)
		require.EqualValues(t, 100, countersOf(t, s, bucket).SettledEpoch)
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
		ledgerAgrees(t, s, bucket)
	})
}

func TestBucketsOfOneSaleSettledAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(4, draft("wide", 1, item("phone", 4000))))
		err := together(4, func(i int) error {
			for sequence := range int64(15) {
				// Every settlement takes all buckets, each in another order: locks must not meet in a circle.
				var deliveries []sale.Delivery
				for k := range rows {
					row := rows[(i+k)%len(rows)]
					deliveries = append(deliveries, batch(row.Bucket, 1, int64(i)<<32+sequence, crowd(4)...))
				}
				if _, err := s.Settle(t.Context(), deliveries); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		for _, row := range rows {
			require.EqualValues(t, 4*15*4, countersOf(t, s, row.Bucket).Settled)
			ledgerAgrees(t, s, row.Bucket)
		}
	})
}

// A buyer has one home bucket. If a fault makes two buckets sell to the buyer, the orders of both count towards the limits.
func TestOneBuyerInTwoBuckets(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(4, draft("wide", 1, item("phone", 1000))))
		const buyers = 10
		for i, row := range rows {
			for n := range buyers {
				settle(t, s, batch(row.Bucket, 1, int64(n+1), one(fmt.Sprintf("buyer-%d", n), 1)))
			}
			require.Equal(t, buyers, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
			require.Equal(t, buyers*i, count(t, s, "SELECT COUNT(*) FROM orders WHERE reason = 'over_limit'"))
		}
	})
}

// Batches of one buyer settle at once with different SKUs and keys: the lock of the bucket row decides, and the limits of the
// SKU and of the sale hold.
func TestLimitsOfOneBuyerAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		of := draft("wide", 2, item("phone", 100), item("case", 100), item("cable", 100))
		of.SaleLimit = 4
		bucket := selling(t, s, of)[0].Bucket
		require.NoError(t, together(4, func(i int) error {
			for n := range int64(3) {
				sku := of.Items[(int64(i)+n)%3].SKU
				d := batch(bucket, 1, 10*int64(i)+n+1, lined("ann", units(sku, 1)))
				if _, err := s.Settle(t.Context(), []sale.Delivery{d}); err != nil {
					return err
				}
			}
			return nil
		}))
		require.Equal(t, 4, count(t, s, "SELECT SUM(quantity) FROM orders WHERE status = 'confirmed'"))
		require.Equal(t, 8, count(t, s, "SELECT COUNT(*) FROM orders WHERE reason = 'over_limit'"))
		ledgerAgrees(t, s, bucket)
	})
}

// Settlement and rebuild run at the same time. In any order, each BeginLoads must see every unit either for sale or with its
// owner, and each order must become confirmed or refused once.
func TestSettleAgainstRebuild(t *testing.T) {
	for _, limit := range []int{1, 3} {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) { settleAgainstRebuild(t, s, limit) })
		})
	}
}

func settleAgainstRebuild(t *testing.T, s *Store, limit int) {
	const settlers, rounds, orders = 3, 12, 5
	bucket := phone(t, s, 500, limit)
	over, stop := context.WithCancel(t.Context())
	var rebuilt sync.WaitGroup
	var fault error
	rebuilds := 0
	rebuilt.Go(func() {
		for over.Err() == nil && fault == nil {
			fault = rebuildOnce(t.Context(), s, bucket)
			rebuilds++
		}
	})
	err := together(settlers, func(i int) error {
		for round := range rounds {
			present, err := s.SaleCounters(t.Context(), bucket.Sale)
			if err != nil {
				return err
			}
			// The epoch may be over by the time the batch settles, which makes it late.
			d := batch(bucket, present[0].Epoch, int64(i*rounds+round+1), crowd(orders)...)
			if _, err := s.Settle(t.Context(), []sale.Delivery{d}); err != nil {
				return err
			}
		}
		return nil
	})
	stop()
	rebuilt.Wait()
	require.NoError(t, err)
	require.NoError(t, fault)
	require.Positive(t, rebuilds)
	require.Equal(t, settlers*rounds*orders, count(t, s, "SELECT COUNT(*) FROM orders"))
	refused := count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'refused' AND reason = 'fenced'")
	require.EqualValues(t, settlers*rounds*orders-refused, countersOf(t, s, bucket).Settled, "%d rebuilds", rebuilds)
	ledgerAgrees(t, s, bucket)
}

func rebuildOnce(ctx context.Context, s *Store, bucket sale.Bucket) error {
	present, err := s.SaleCounters(ctx, bucket.Sale)
	if err != nil {
		return err
	}
	closed, err := s.CloseBuckets(ctx, []sale.BucketRow{present[0].BucketRow})
	if err != nil {
		return err
	}
	loads, err := s.BeginLoads(ctx, closed)
	if err != nil {
		return err
	}
	for _, load := range loads {
		units := map[string]int64{}
		for _, shelf := range load.Stock {
			units[shelf.SKU] = shelf.Available
		}
		for _, owner := range load.Owners {
			for _, line := range owner.Lines {
				units[line.SKU] += int64(line.Quantity)
			}
		}
		for _, shelf := range present[0].Shelves {
			if units[shelf.SKU] != shelf.Loaded {
				return fmt.Errorf("epoch %d: %d units of %s available or owned, %d loaded", load.Epoch, units[shelf.SKU],
					shelf.SKU, shelf.Loaded)
			}
		}
	}
	_, err = s.OpenBuckets(ctx, rowsOf(loads))
	return err
}

// Two control roles that both believe they hold the lease: each epoch begins once.
func TestRebuildersAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(8, draft("wide", 1, item("phone", 400))))
		var begun, opened atomic.Int64
		err := together(4, func(int) error {
			closed, err := s.CloseBuckets(t.Context(), rows)
			if err != nil {
				return err
			}
			loads, err := s.BeginLoads(t.Context(), closed)
			if err != nil {
				return err
			}
			begun.Add(int64(len(loads)))
			open, err := s.OpenBuckets(t.Context(), rowsOf(loads))
			opened.Add(int64(len(open)))
			return err
		})
		require.NoError(t, err)
		var epochs int64
		for _, row := range rows {
			b := countersOf(t, s, row.Bucket)
			require.Equal(t, sale.BucketOpen, b.State)
			epochs += b.Epoch - 1
		}
		require.Equal(t, begun.Load(), epochs, "every beginning is an epoch of its own")
		require.GreaterOrEqual(t, begun.Load(), opened.Load())
		require.GreaterOrEqual(t, opened.Load(), int64(len(rows)))
	})
}
