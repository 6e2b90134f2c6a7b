package sale

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBucketNamesItselfAsTheHashTagDoes(t *testing.T) {
	assert.Equal(t, "double-11:0", Bucket{Sale: "double-11"}.String())
	assert.Equal(t, "a:63", Bucket{Sale: "a", Number: 63}.String())
	assert.Equal(t, "a:63/b", Shelf{Bucket{Sale: "a", Number: 63}, "b"}.String())
}

// Two buckets never share a name, because an id cannot contain the separator.
func TestBucketNamesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawBucket(t, "a"), drawBucket(t, "b")
		require.Equal(t, a == b, a.String() == b.String())
	})
}

// The mapping is stored state: these values must never change.
func TestHomeBucketIsFixed(t *testing.T) {
	for buyer, want := range map[string]int{"": 5, "a": 4, "load-1": 7, "load-2": 2, "Buyer_7@shop|x+y-z": 1} {
		h := fnv.New32a()
		_, err := h.Write([]byte(buyer))
		require.NoError(t, err)
		assert.Equal(t, int(h.Sum32()%8), HomeBucket(buyer, 8), buyer)
		assert.Equal(t, want, HomeBucket(buyer, 8), buyer)
		assert.Equal(t, HomeBucket(buyer, 8), HomeBucket([]byte(buyer), 8), "bytes and text agree")
	}
	for _, buckets := range []int{-1, 0, 1} {
		assert.Zero(t, HomeBucket("anyone", buckets))
	}
}

func TestHomeBucketsAreEven(t *testing.T) {
	const buyers, buckets = 64_000, 64
	counts := make([]int, buckets)
	for i := range buyers {
		counts[HomeBucket(fmt.Sprintf("load-%d", i), buckets)]++
	}
	for number, n := range counts {
		assert.InDelta(t, buyers/buckets, n, buyers/buckets/5, "bucket %d", number)
	}
}

func TestHomeBucketDoesNotAllocate(t *testing.T) {
	buyer := []byte("some-buyer-with-36-characters-000001")
	assert.Zero(t, testing.AllocsPerRun(100, func() { HomeBucket(buyer, 16) }))
}

func TestBucketStockSharesEverything(t *testing.T) {
	assert.Equal(t, []int64{4, 3, 3}, []int64{BucketStock(10, 0, 3), BucketStock(10, 1, 3), BucketStock(10, 2, 3)})
	assert.Equal(t, int64(0), BucketStock(2, 2, 64))
	rapid.Check(t, func(t *rapid.T) {
		stock := rapid.Int64Range(0, MaxStock).Draw(t, "stock")
		buckets := rapid.IntRange(1, MaxBuckets).Draw(t, "buckets")
		var sum, low, high int64 = 0, stock, 0
		for number := range buckets {
			share := BucketStock(stock, number, buckets)
			sum, low, high = sum+share, min(low, share), max(high, share)
		}
		require.Equal(t, stock, sum)
		require.LessOrEqual(t, high-low, int64(1))
	})
}

// A raise of the stock lowers the share of no bucket, so a raise towards the even shares takes from none.
func TestBucketStockOnlyRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.Int64Range(0, MaxStock).Draw(t, "before")
		after := rapid.Int64Range(before, MaxStock).Draw(t, "after")
		buckets := rapid.IntRange(1, MaxBuckets).Draw(t, "buckets")
		for number := range buckets {
			require.LessOrEqual(t, BucketStock(before, number, buckets), BucketStock(after, number, buckets))
		}
	})
}

func drawID(t *rapid.T, label string) string {
	return rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,63}`).Draw(t, label)
}

func drawBuyer(t *rapid.T, label string) string {
	return rapid.StringMatching(`[A-Za-z0-9._:@|+-]{1,64}`).Draw(t, label)
}

func drawBucket(t *rapid.T, label string) Bucket {
	return Bucket{Sale: drawID(t, label+" sale"), Number: rapid.IntRange(0, MaxBuckets-1).Draw(t, label+" number")}
}
