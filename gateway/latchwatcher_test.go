package gateway

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// closedLatch is a scene whose phone is latched and whose owners are ordered but not built.
func closedLatch(t *testing.T) (*scene, *bucketLatch) {
	t.Helper()
	s := newScene(t).open(autumn())
	s.stock.set(func(f *fakeStock) {
		f.owners[phone], f.readings[phone] = []string{"owner"}, sale.Reading{Epoch: 1, Sequence: 3}
	})
	b := &s.item("autumn", "phone").latch.buckets[0]
	s.gateway.latchWatcher.soldOut(b.latch)
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Len(t, s.gateway.latchWatcher.owners.orders, 1)
	return s, b
}

func TestOneBuildAtATimeForALatch(t *testing.T) {
	s, _ := closedLatch(t)
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Len(t, s.gateway.latchWatcher.owners.orders, 1, "the next rounds do not order it again")
	require.NoError(t, s.gateway.latchWatcher.owners.read(context.Background(), <-s.gateway.latchWatcher.owners.orders))
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Empty(t, s.gateway.latchWatcher.owners.orders, "a filter that is up to date is not ordered at all")
}

func TestFailedBuildIsOrderedAgain(t *testing.T) {
	s, b := closedLatch(t)
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.latchWatcher.owners.read(context.Background(), <-s.gateway.latchWatcher.owners.orders), errAway)
	require.Nil(t, b.state.Load().owners)
	s.stock.set(func(f *fakeStock) { f.failing = nil })
	s.look()
	require.NotNil(t, b.state.Load().owners)
}

// TestBuildForAnotherLifeOfTheLatchIsDropped: between the order and the reading the latch opened and closed again.
func TestBuildForAnotherLifeOfTheLatchIsDropped(t *testing.T) {
	s, b := closedLatch(t)
	order := <-s.gateway.latchWatcher.owners.orders
	s.gateway.latchWatcher.open(b.latch)
	s.gateway.latchWatcher.soldOut(b.latch)
	require.NoError(t, s.gateway.latchWatcher.owners.read(context.Background(), order))
	require.Nil(t, b.state.Load().owners)
}

// TestLatchThatOpensDuringABuildStaysOpen: the filter is too late.
func TestLatchThatOpensDuringABuildStaysOpen(t *testing.T) {
	s, b := closedLatch(t)
	order := <-s.gateway.latchWatcher.owners.orders
	w := s.gateway.latchWatcher
	w.owners.stock = hookedStock{s.stock, func() { w.open(b.latch) }}
	require.NoError(t, w.owners.read(context.Background(), order))
	require.Nil(t, b.state.Load())
	require.Zero(t, b.latch.closed.Load())
}

// hookedStock does something while the owners are read.
type hookedStock struct {
	*fakeStock
	during func()
}

func (s hookedStock) Owners(ctx context.Context, b sale.Bucket, each func(string) error) error {
	s.during()
	return s.fakeStock.Owners(ctx, b, each)
}

func TestBuildsThatFindNoPlaceAreOrderedLater(t *testing.T) {
	const items = ownersQueue + 20
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.Items = nil
		for i := range items {
			s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", i), Stock: 1, Buckets: 1})
		}
	}))
	for sku, item := range s.gateway.catalogue.current.Load().sales["autumn"].items {
		b := sale.Bucket{Sale: "autumn", SKU: sku}
		s.stock.set(func(f *fakeStock) { f.owners[b], f.readings[b] = []string{"owner"}, sale.Reading{Epoch: 1} })
		s.gateway.latchWatcher.soldOut(item.latch)
	}
	s.look()
	s.look()
	for _, item := range s.gateway.catalogue.current.Load().sales["autumn"].shown {
		require.NotNil(t, item.latch.buckets[0].state.Load().owners, item.SKU)
	}
}

func TestReadingsOfAnotherNumberAreAFault(t *testing.T) {
	s, _ := closedLatch(t)
	s.gateway.latchWatcher.levels = shortLevels{}
	require.ErrorContains(t, s.gateway.latchWatcher.look(context.Background()), "asked for 1, got 0")
}

type shortLevels struct{}

func (shortLevels) Readings(context.Context, []sale.Bucket) ([]sale.Reading, error) { return nil, nil }

// TestOneFailedLookKeepsTheFilters: a filter is distrusted only after a while without looks.
func TestOneFailedLookKeepsTheFilters(t *testing.T) {
	s, b := closedLatch(t)
	s.look()
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.latchWatcher.look(context.Background()), errAway)
	require.NotNil(t, b.state.Load().owners)
}

func TestSecondVerdictChangesNothing(t *testing.T) {
	s, b := closedLatch(t)
	before := b.state.Load()
	for range 3 {
		s.gateway.latchWatcher.soldOut(b.latch)
	}
	require.Same(t, before, b.state.Load())
	require.EqualValues(t, 1, b.latch.closed.Load())
	require.Len(t, s.gateway.latchWatcher.closed, 1)
	s.gateway.latchWatcher.open(b.latch)
	s.gateway.latchWatcher.open(b.latch)
	require.Zero(t, b.latch.closed.Load())
}

func TestOwnersFilterNeverMissesAnOwner(t *testing.T) {
	const owners = 20_000
	s, b := closedLatch(t)
	s.stock.set(func(f *fakeStock) {
		f.owners[phone] = nil
		for i := range owners {
			f.owners[phone] = append(f.owners[phone], fmt.Sprintf("owner-%d", i))
		}
	})
	s.look() // far more owners than units: more other buyers pass the filter, and still every owner does
	filter := b.state.Load().owners
	for i := range owners {
		require.True(t, filter.TestString(fmt.Sprintf("owner-%d", i)))
	}
}
