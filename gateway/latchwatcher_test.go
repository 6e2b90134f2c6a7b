package gateway

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/role"
	"flashsale/sale"
)

// closedLatch is a scene whose phone is latched and whose owners are ordered but not read.
func closedLatch(t *testing.T) (*scene, *closing) {
	t.Helper()
	s := newScene(t).open(autumn())
	s.stock.set(func(f *fakeStock) { f.owners[phone], f.readings[phone] = []string{"owner"}, level{Epoch: 1} })
	c := s.gateway.latchWatcher.soldOut(s.item("autumn", "phone").latch)
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Len(t, s.gateway.latchWatcher.owners.orders, 1)
	return s, c
}

// TestWatcherSleepsWhileNoLatchIsClosed: the first latch that closes wakes it, and so does a change of a sale that was over.
func TestWatcherSleepsWhileNoLatchIsClosed(t *testing.T) {
	s := newScene(t).open(autumn())
	w, loop := s.gateway.latchWatcher, s.gateway.watchLatches()
	require.Equal(t, role.UntilWoken, loop.Rest(0))
	require.Empty(t, w.woken)
	c := w.soldOut(s.item("autumn", "phone").latch)
	require.Len(t, w.woken, 1)
	require.Equal(t, lookInterval, loop.Rest(0))
	<-w.woken
	w.sales, w.rested = nil, w.sales // over
	require.Equal(t, role.UntilWoken, loop.Rest(0))
	w.wake()
	require.Len(t, w.woken, 1)
	require.Equal(t, lookInterval, loop.Rest(0))
	w.open(c)
	require.Equal(t, role.UntilWoken, loop.Rest(0))
}

func TestOneReadingAtATimeForABucket(t *testing.T) {
	s, _ := closedLatch(t)
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Len(t, s.gateway.latchWatcher.owners.orders, 1, "the next rounds do not order it again")
	require.True(t, s.readOwners())
	require.Nil(t, s.filter("phone"), "a look puts it to work")
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.NotNil(t, s.filter("phone"))
	require.Empty(t, s.gateway.latchWatcher.owners.orders, "a filter that is up to date is not ordered at all")
}

func TestFailedReadingIsOrderedAgain(t *testing.T) {
	s, _ := closedLatch(t)
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.latchWatcher.owners.read(context.Background(), <-s.gateway.latchWatcher.owners.orders), errAway)
	require.Nil(t, s.filter("phone"))
	s.stock.set(func(f *fakeStock) { f.failing = nil })
	s.look()
	require.NotNil(t, s.filter("phone"))
}

// TestReadingForAnotherLifeOfTheLatchIsDropped: between the order and the reading the latch opened and closed again.
func TestReadingForAnotherLifeOfTheLatchIsDropped(t *testing.T) {
	s, c := closedLatch(t)
	order, w := <-s.gateway.latchWatcher.owners.orders, s.gateway.latchWatcher
	w.open(c)
	w.soldOut(c.latch)
	w.owners.stock = hookedStock{s.stock, func() { t.Error("nobody needs these owners") }}
	require.NoError(t, w.owners.read(context.Background(), order))
	require.Nil(t, s.filter("phone"))
	require.False(t, order.bucket.building.Load(), "the next look may order them")
}

// TestLatchThatOpensDuringAReadingStaysOpen: the filter is too late.
func TestLatchThatOpensDuringAReadingStaysOpen(t *testing.T) {
	s, c := closedLatch(t)
	order := <-s.gateway.latchWatcher.owners.orders
	w := s.gateway.latchWatcher
	w.owners.stock = hookedStock{s.stock, func() { w.open(c) }}
	require.NoError(t, w.owners.read(context.Background(), order))
	require.NoError(t, w.look(context.Background()))
	require.Nil(t, s.closing("phone"))
	require.Empty(t, c.latch.sale.closed)
}

// TestPurchaseDuringALookReplacesTheFilter: a look must not put a filter to work that it joined before the purchase.
func TestPurchaseDuringALookReplacesTheFilter(t *testing.T) {
	s, c := closedLatch(t)
	s.look()
	b := &c.latch.sale.buckets[0]
	for _, state := range []*ownersFilter{{}, {buyers: b.owners.Load().all()}} {
		c.filters[0].Store(state)
		c.latch.sale.unsettled.Store(false)
		c.latch.sale.sold(b.owners.Load(), &sale.Purchase{Epoch: 1, Buyer: "late"}, []pressLine{{
			item: s.item("autumn", "phone"), quantity: 1,
		}})
		require.NotSame(t, state, c.filters[0].Load())
		require.Nil(t, s.filter("phone"))
		require.True(t, c.latch.sale.unsettled.Load(), "the next look counts, also if Redis shows no change after the last one")
	}
}

// hookedStock does something while the owners are read.
type hookedStock struct {
	*fakeStock
	during func()
}

func (s hookedStock) Owners(ctx context.Context, b sale.Bucket, each func(string, []int) error) error {
	s.during()
	return s.fakeStock.Owners(ctx, b, each)
}

func TestReadingsThatFindNoPlaceAreOrderedLater(t *testing.T) {
	const sales = ownersQueue + 20
	s := newScene(t)
	for i := range sales {
		s.database.publish(autumn(func(s *sale.Sale) { s.ID = fmt.Sprintf("sale-%d", i) }))
	}
	s.pollCatalogue()
	for id, live := range s.gateway.catalogue.current.Load().sales {
		b := sale.Shelf{Bucket: sale.Bucket{Sale: id}, SKU: "phone"}
		s.stock.set(func(f *fakeStock) { f.owners[b], f.readings[b] = []string{"owner"}, level{Epoch: 1} })
		s.gateway.latchWatcher.soldOut(live.items["phone"].latch)
	}
	s.look()
	s.look()
	for id := range s.gateway.catalogue.current.Load().sales {
		require.NotNil(t, s.item(id, "phone").latch.closed.Load().filters[0].Load().buyers, id)
	}
}

func TestReadingsOfAnotherNumberAreAFault(t *testing.T) {
	s, _ := closedLatch(t)
	s.gateway.latchWatcher.levels = shortLevels{}
	require.ErrorContains(t, s.gateway.latchWatcher.look(context.Background()), "asked for 1, got 0")
	s.stock.set(func(*fakeStock) {})
	s.gateway.latchWatcher.levels = shortStock{s.stock}
	require.ErrorContains(t, s.gateway.latchWatcher.look(context.Background()), "asked for 1 SKUs in 1 buckets, got 0 buckets")
}

type shortLevels struct{ Levels }

func (shortLevels) Readings(context.Context, []sale.Bucket) ([]sale.Reading, error) { return nil, nil }

type shortStock struct{ Levels }

func (shortStock) StockReadings(context.Context, []sale.Bucket, []string) ([]sale.StockReading, error) {
	return nil, nil
}

// TestOneFailedLookKeepsTheFilters: a filter is distrusted only after a while without looks.
func TestOneFailedLookKeepsTheFilters(t *testing.T) {
	s, _ := closedLatch(t)
	s.look()
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.latchWatcher.look(context.Background()), errAway)
	require.NotNil(t, s.filter("phone"))
}

func TestSecondVerdictChangesNothing(t *testing.T) {
	s, c := closedLatch(t)
	for range 3 {
		require.Same(t, c, s.gateway.latchWatcher.soldOut(c.latch))
	}
	require.Len(t, c.latch.sale.closed, 1)
	s.gateway.latchWatcher.open(c)
	s.gateway.latchWatcher.open(c)
	require.Nil(t, s.closing("phone"))
	require.Empty(t, s.gateway.latchWatcher.sales)
}

func TestOwnersFilterNeverMissesAnOwner(t *testing.T) {
	const owners = 20_000
	s, c := closedLatch(t)
	s.stock.set(func(f *fakeStock) {
		f.owners[phone] = nil
		for i := range owners {
			f.owners[phone] = append(f.owners[phone], fmt.Sprintf("owner-%d", i))
		}
	})
	s.look() // far more owners than units: more other buyers pass the filter, and still every owner does
	require.NotNil(t, s.filter("phone"))
	for i := range owners {
		require.False(t, c.refuses(fmt.Appendf(nil, "owner-%d", i)))
	}
}
