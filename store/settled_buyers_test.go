package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// another is a second Store on the same database, as another process has one.
func another(t *testing.T, s *Store) *Store {
	t.Helper()
	other, err := s.Apart(4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	return other
}

// standingOf returns what a Store's filter knows about a bucket.
func standingOf(t *testing.T, s *Store, bucket sale.Bucket) filterStanding {
	t.Helper()
	orders := count(t, s, "SELECT orders FROM buckets WHERE sale_id = ? AND bucket = ?", bucket.Sale, bucket.Number)
	confirmed := count(t, s, "SELECT COUNT(*) FROM orders WHERE sale_id = ? AND bucket = ? AND status <> 'refused'",
		bucket.Sale, bucket.Number)
	require.Equal(t, confirmed, orders, "the row counts the orders of its bucket")
	filter := s.settled.of(bucket.Sale)
	filter.mu.Lock()
	defer filter.mu.Unlock()
	return filter.standing(bucket.Number, int64(orders))
}

// refusedOf settles one order and returns 1 if it is refused.
func refusedOf(t *testing.T, s *Store, bucket sale.Bucket, sequence int64, o sale.RecordOrder) int {
	t.Helper()
	return settle(t, s, batch(bucket, 1, sequence, o)).Refused
}

// Two Stores settle one bucket in turns: each finds the orders of the other.
func TestTwoStoresSettleInTurns(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		stores := []*Store{s, another(t, s)}
		sequence := int64(0)
		for turn := range 6 {
			mine, theirs := stores[turn%2], stores[(turn+1)%2]
			buyer := fmt.Sprintf("buyer-of-turn-%d", turn)
			sequence++
			settle(t, mine, batch(bucket, 1, sequence, append(crowd(9), one(buyer, 1))...))
			sequence++
			require.Equal(t, 1, refusedOf(t, theirs, bucket, sequence, one(buyer, 1)), "turn %d", turn)
			sequence++
			require.Equal(t, 1, refusedOf(t, mine, bucket, sequence, one(buyer, 1)), "turn %d", turn)
		}
		require.Equal(t, 60, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
		ledgerAgrees(t, s, bucket)
	})
}

// A Store that finds orders of another fills its filter page by page, and is complete then. Until then, and afterwards, it finds
// every order.
func TestFilterIsFilledByPages(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 1000))))
		bucket, beside := rows[0].Bucket, rows[1].Bucket
		early := crowd(30)
		settle(t, s, batch(bucket, 1, 1, early...), batch(beside, 1, 1, crowd(5)...))
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		fresh := another(t, s)
		fresh.filterPage = 8
		require.Equal(t, filterBehind, standingOf(t, fresh, bucket))
		for n := int64(2); standingOf(t, fresh, bucket) != filterComplete; n++ {
			require.Less(t, n, int64(20), "35 buyers in pages of 8")
			settle(t, fresh, batch(bucket, 1, n, crowd(2)...))
			require.NotEqual(t, filterBehind, standingOf(t, fresh, bucket))
			require.Equal(t, 1, refusedOf(t, fresh, bucket, 100+n, one(early[n].Buyer, 1)))
		}
		require.Equal(t, filterComplete, standingOf(t, fresh, beside), "a filling is of all buckets")
		for i := range early {
			require.Equal(t, 1, refusedOf(t, fresh, bucket, 200+int64(i), one(early[i].Buyer, 1)))
		}
		require.Equal(t, filterComplete, standingOf(t, fresh, bucket))
		require.Equal(t, filterBehind, standingOf(t, s, bucket))
		ledgerAgrees(t, s, bucket)
	})
}

// While a filter is complete, settlement reads only buyers that are in it.
func TestNewBuyersAreNotRead(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 2)
		ann, bob, cat := one("ann", 1), one("bob", 1), one("cat", 1)
		settle(t, s, batch(bucket, 1, 1, ann))
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		filter := s.settled.of(bucket.Sale)
		buyers := func(yield func(string) bool) {
			_ = yield("ann") && yield("bob") && yield("cat") && yield("bob")
		}
		possible, standing := filter.admit(bucket.Number, 1, buyers)
		require.Equal(t, filterComplete, standing)
		require.Equal(t, []string{"ann", "bob"}, possible, "ann has an order, bob is there twice")
		possible, standing = filter.admit(bucket.Number, 2, buyers)
		require.Equal(t, filterBehind, standing)
		require.Len(t, possible, 4)
		settle(t, s, batch(bucket, 1, 2, bob, cat)) // the filter has them and they have no rows
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
	})
}

// A settlement that is rolled back leaves the count of the filter. Its buyers may settle later.
func TestFilterAfterARollback(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		settle(t, s, at(batch(bucket, 1, 1, one("ann", 1)), "orders-a", 1, 1))
		_, err := s.Settle(t.Context(), []sale.Delivery{at(batch(bucket, 1, 2, one("cat", 1)), "orders-b", 1, 2)})
		require.ErrorIs(t, err, sale.ErrBehind, "the last thing that a settlement finds")
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		require.Zero(t, refusedOf(t, s, bucket, 2, one("cat", 1)))
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		require.Equal(t, 1, refusedOf(t, s, bucket, 3, one("cat", 1)))
		require.Equal(t, 2, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
	})
}

// A buyer whose order was cancelled keeps its key, and may buy again with another one; also when another Store cancelled, and
// after a rebuild.
func TestKeysOfCancelledOrdersAreFound(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		keyed := func(key string) sale.RecordOrder {
			o := one("ann", 1)
			o.Key = key
			return o
		}
		first := keyed("k1")
		settle(t, s, batch(bucket, 1, 1, append(crowd(5), first)...))
		other := another(t, s)
		cancel(t, other, first.OrderID)
		require.Equal(t, filterComplete, standingOf(t, s, bucket), "a cancellation adds no order")
		require.Equal(t, 1, refusedOf(t, s, bucket, 2, keyed("k1")))
		second := keyed("k2")
		require.Zero(t, refusedOf(t, s, bucket, 3, second))
		cancel(t, s, second.OrderID)
		reopened(t, s, []sale.BucketRow{{Bucket: bucket, Epoch: 1}})
		require.Equal(t, filterComplete, standingOf(t, s, bucket), "the count is not of an epoch")
		require.Equal(t, 1, settle(t, s, batch(bucket, 2, 1, keyed("k2"))).Refused)
		require.Zero(t, settle(t, s, batch(bucket, 2, 2, keyed("k3"))).Refused)
		require.Equal(t, 1, settle(t, other, batch(bucket, 2, 3, keyed("k4"))).Refused)
		ledgerAgrees(t, s, bucket)
	})
}

// Late batches and dead letters that are refused add no order that counts: the filters stay complete.
func TestRefusedOrdersAreNotCounted(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		settle(t, s, batch(bucket, 1, 1, one("ann", 1)))
		reopened(t, s, []sale.BucketRow{{Bucket: bucket, Epoch: 1}})
		require.Equal(t, 2, settle(t, s, batch(bucket, 1, 2, one("bob", 1), one("cat", 1))).Refused)
		d := batch(bucket, 2, 1, one("dan", 1))
		require.NoError(t, s.AddDeadLetter(t.Context(), letter(d, 1)))
		require.NoError(t, another(t, s).RefuseDeadLetter(t.Context(), "3-1"))
		require.Equal(t, filterComplete, standingOf(t, s, bucket))
		require.Zero(t, settle(t, s, batch(bucket, 2, 2, one("bob", 1), one("cat", 1), one("dan", 1))).Refused)
	})
}

// Two settlements of one sale overlap: whatever the order in which one begins a filling and the other commits, no count is above
// the orders whose buyers the filter has.
func TestFillingBesideACommit(t *testing.T) {
	present := func(yield func(string) bool) { yield("ann") }
	filter := &saleBuyers{counts: map[int]int64{}}
	_, standing := filter.admit(1, 7, present) // ann will be the eighth of bucket 1
	require.Equal(t, filterBehind, standing)
	filter.begin(map[int]int64{0: 3, 1: 7})
	filter.raise(1, 7, 8)
	filling, _ := filter.next()
	filter.begin(map[int]int64{0: 4, 1: 8}) // another settlement: the page below may lack the fourth of bucket 0
	filter.fill(filling, []string{"bob"}, true)
	_, standing = filter.admit(0, 4, present)
	require.Equal(t, filterPartial, standing)
	filling, cursor := filter.next()
	require.Empty(t, cursor)
	filter.fill(filling, []string{"bob", "cat"}, false)
	_, cursor = filter.next()
	require.Equal(t, "cat", cursor)
	filter.begin(map[int]int64{0: 4, 1: 8})
	filling, cursor = filter.next()
	require.Empty(t, cursor, "again from the first buyer")
	filter.fill(filling, []string{"bob", "cat", "dan"}, true)
	possible, standing := filter.admit(1, 8, present)
	require.Equal(t, filterComplete, standing)
	require.Equal(t, []string{"ann"}, possible)
	filter.raise(1, 7, 9) // a commit on top of a number that is not the present one
	_, standing = filter.admit(1, 9, present)
	require.Equal(t, filterBehind, standing)
}

// A filter grows without losing buyers, and says so when it is full.
func TestFilterGrows(t *testing.T) {
	filter := &saleBuyers{counts: map[int]int64{}}
	const n = firstLayer * 3
	buyer := func(i int) []byte { return fmt.Appendf(nil, "buyer-%d", i) }
	false1 := 0
	for i := range n {
		if filter.add(buyer(i)) {
			false1++
		}
	}
	require.Less(t, false1, n/1000)
	require.Equal(t, layerRoom(0)+layerRoom(1), filter.room())
	for i := range n {
		require.True(t, filter.add(buyer(i)))
	}
	filter.layers = append(filter.layers, filter.layers[1], filter.layers[1], filter.layers[1])
	filter.left = 0
	require.True(t, filter.add(buyer(n)), "it is over: nobody is known to have no order")
	require.Equal(t, filterOver, filter.standing(0, 0))
	require.Zero(t, filter.room())
}

// The memory of all filters is bounded: those of sales that settled long ago go first.
func TestFiltersAreBounded(t *testing.T) {
	var all settledBuyers
	kept := all.of("kept")
	for i := range 3 * maxFilters {
		all.of(fmt.Sprintf("sale-%d", i))
		require.Same(t, kept, all.of("kept"))
		require.LessOrEqual(t, len(all.sales), maxFilters)
	}
	require.NotContains(t, all.sales, "sale-0")
	full := &saleBuyers{counts: map[int]int64{}}
	for range maxLayers {
		full.left = 0
		full.grow()
	}
	for i := range 5 {
		filter := all.of(fmt.Sprintf("large-%d", i))
		filter.layers = full.layers // they share the memory in this test
		require.Same(t, kept, all.of("kept"))
	}
	for range evictEach {
		all.of("kept")
	}
	room := 0
	for _, filter := range all.sales {
		room += filter.room()
	}
	require.LessOrEqual(t, room, maxFilterRoom)
	require.Same(t, kept, all.of("kept"))
}
