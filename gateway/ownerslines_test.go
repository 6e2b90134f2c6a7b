package gateway

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestOneReadingServesAllSKUs: of a bucket. The filter tells apart the SKUs that a buyer owns.
func TestOneReadingServesAllSKUs(t *testing.T) {
	const skus = 40
	names := make([]string, skus)
	for i := range names {
		names[i] = fmt.Sprintf("sku-%d", i)
	}
	s := newScene(t).open(autumn(catalogued(names...)))
	readings := 0
	s.gateway.latchWatcher.owners.stock = hookedStock{s.stock, func() { readings++ }}
	s.stock.set(func(f *fakeStock) {
		for i, sku := range names {
			shelf := sale.Shelf{Bucket: phone.Bucket, SKU: sku}
			f.readings[shelf], f.owners[shelf] = level{Epoch: 1, Taken: 2}, []string{fmt.Sprintf("of-%d", i), "of-all"}
		}
	})
	for _, sku := range names {
		s.gateway.latchWatcher.soldOut(s.item("autumn", sku).latch)
	}
	s.look()
	require.Equal(t, 1, readings)
	passed := 0
	for i, sku := range names {
		c := s.closing(sku)
		require.False(t, c.refuses([]byte("of-all")))
		for j := range names {
			if !c.refuses(fmt.Appendf(nil, "of-%d", j)) {
				passed++
				require.True(t, i == j || passed < skus+5, "an owner of another SKU is no owner of this one")
			}
		}
	}
	require.GreaterOrEqual(t, passed, skus)
}

// TestSKUThatSellsOutLaterNeedsAReadingOfItsOwn: meanwhile the filters of the others stay at work.
func TestSKUThatSellsOutLaterNeedsAReadingOfItsOwn(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.latch("phone", "ann")
	before := s.filter("phone")
	s.stock.set(func(f *fakeStock) {
		shelf := sale.Shelf{Bucket: phone.Bucket, SKU: "case"}
		f.readings[shelf], f.owners[shelf] = level{Epoch: 1, Taken: 1}, []string{"bob"}
	})
	s.gateway.latchWatcher.soldOut(s.item("autumn", "case").latch)
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Same(t, before, s.filter("phone"))
	require.Nil(t, s.filter("case"))
	s.look()
	require.NotNil(t, s.filter("case"))
	for sku, owners := range map[string]map[string]bool{"phone": {"ann": true}, "case": {"bob": true}} {
		for _, buyer := range []string{"ann", "bob", "cid"} {
			require.Equal(t, owners[buyer], !s.closing(sku).refuses([]byte(buyer)), "%s %s", sku, buyer)
		}
	}
}

// TestOtherSKUsSellOnWithoutANewReading: the count of a sold-out SKU does not move with the bucket's other sales.
func TestOtherSKUsSellOnWithoutANewReading(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.latch("phone", "ann")
	before := s.filter("phone")
	readings := 0
	s.gateway.latchWatcher.owners.stock = hookedStock{s.stock, func() { readings++ }}
	for range 5 {
		require.Equal(t, 202, s.pressCart("bob", bodyOf("case")).status)
		s.stock.set(func(f *fakeStock) {
			shelf := sale.Shelf{Bucket: phone.Bucket, SKU: "case"}
			l := f.readings[shelf]
			f.readings[shelf] = level{Epoch: 1, Available: 50, Taken: l.Taken + 1}
		})
		s.look()
		require.Same(t, before, s.filter("phone"))
	}
	require.Zero(t, readings)
}

// TestOrderOfSeveralLinesCountsForEachSKU: units of both SKUs came back and were sold in one order of this gateway.
func TestOrderOfSeveralLinesCountsForEachSKU(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	for _, sku := range []string{"phone", "case"} {
		s.stock.set(func(f *fakeStock) { f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: sku}] = level{Epoch: 1, Taken: 5} })
		s.gateway.latchWatcher.soldOut(s.item("autumn", sku).latch)
	}
	s.look()
	readings := 0
	s.gateway.latchWatcher.owners.stock = hookedStock{s.stock, func() { readings++ }}
	for _, sku := range []string{"phone", "case"} {
		s.gateway.latchWatcher.open(s.closing(sku))
	}
	require.Equal(t, 202, s.pressCart("late", `{"lines":[{"sku":"case","quantity":2},{"sku":"phone"}]}`).status)
	s.stock.set(func(f *fakeStock) {
		f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: "phone"}] = level{Epoch: 1, Taken: 6, Returned: 1}
		f.readings[sale.Shelf{Bucket: phone.Bucket, SKU: "case"}] = level{Epoch: 1, Taken: 7, Returned: 2}
	})
	for _, sku := range []string{"phone", "case"} {
		s.gateway.latchWatcher.soldOut(s.item("autumn", sku).latch)
	}
	s.look()
	require.Zero(t, readings, "the gateway has counted its own sale")
	for _, sku := range []string{"phone", "case"} {
		require.False(t, s.closing(sku).refuses([]byte("late")), sku)
		require.True(t, s.closing(sku).refuses([]byte("ann")), sku)
	}
}

// TestOwnersAcrossBuckets: a buyer's home bucket knows what the buyer owns.
func TestOwnersAcrossBuckets(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case"), func(s *sale.Sale) { s.Buckets = 4 }))
	var owners []string
	for n := range 4 {
		owners = append(owners, buyerOf(n, 4))
	}
	s.latch("phone", owners...)
	s.latch("case")
	for _, owner := range owners {
		require.False(t, s.closing("phone").refuses([]byte(owner)))
		require.True(t, s.closing("case").refuses([]byte(owner)))
		require.True(t, s.closing("phone").refuses([]byte("stranger-"+owner)))
	}
}

// TestSKUThatRedisDoesNotHaveOpensItsLatch: the call to Redis gives the right answer.
func TestSKUThatRedisDoesNotHaveOpensItsLatch(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.latch("phone", "ann")
	s.latch("case", "ann")
	s.stock.set(func(f *fakeStock) { delete(f.readings, sale.Shelf{Bucket: phone.Bucket, SKU: "case"}) })
	s.look()
	require.Nil(t, s.closing("case"))
	require.NotNil(t, s.closing("phone"))
}
