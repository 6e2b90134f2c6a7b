package gateway

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// ownersScene is a phone that is sold out, whose owners are read, in a sale that allows two units, and a count of readings.
func ownersScene(t *testing.T) (*scene, *bucketOwners, *int) {
	t.Helper()
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.PerBuyerLimit = 2 }))
	readings := new(int)
	s.gateway.latchWatcher.owners.stock = hookedStock{s.stock, func() { *readings++ }}
	s.stock.set(func(f *fakeStock) {
		f.owners[phone], f.readings[phone] = []string{"owner"}, level{Epoch: 1, Taken: 100}
	})
	l := s.item("autumn", "phone").latch
	s.gateway.latchWatcher.soldOut(l)
	s.look()
	require.Equal(t, 1, *readings)
	return s, &l.sale.buckets[0], readings
}

// moves changes the reading of the bucket.
func (s *scene) moves(change func(*level)) {
	s.stock.set(func(f *fakeStock) {
		r := f.readings[phone]
		change(&r)
		f.readings[phone] = r
	})
}

// cancelled brings a unit back and sells it to a buyer of this gateway, as a cancellation under a crowd does.
func (s *scene) cancelled(buyer string) {
	s.t.Helper()
	s.moves(func(r *level) { r.Available, r.Returned = 1, r.Returned+1 })
	s.look()
	s.stock.set(func(f *fakeStock) {
		f.decide = func(p sale.Purchase) sale.Answer {
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 77, CreatedAt: noon}
		}
	})
	require.Equal(s.t, http.StatusAccepted, s.press(buyer, "").status)
	s.moves(func(r *level) { r.Available, r.Taken = 0, r.Taken+1 })
	soldOutNow(s)
	s.refused(s.press("late", ""), sale.OutcomeSoldOut, soldOutPhone)
}

// TestCancelsDoNotHaveTheOwnersReadAgain: the gateway has counted its own sales of returned units.
func TestCancelsDoNotHaveTheOwnersReadAgain(t *testing.T) {
	s, _, readings := ownersScene(t)
	for i := range 50 {
		s.cancelled(fmt.Sprintf("new-%d", i))
		s.look()
		require.NotNil(t, s.filter("phone"), "the next look puts the filter to work again")
	}
	require.Equal(t, 1, *readings)
	before := len(s.stock.purchases())
	s.refused(s.press("ann", ""), sale.OutcomeSoldOut, soldOutPhone)
	require.Len(t, s.stock.purchases(), before, "strangers are refused from local memory")
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 1, Bought: 1, OrderID: 3})
	for _, owner := range []string{"owner", "new-0", "new-49"} {
		require.Equal(t, "already_bought", s.press(owner, "").members(t)["code"], "and owners get past it")
	}
}

// TestReleasesAndTransfersKeepTheFilter: a buyer who gives a unit back may stay in it, and there is no new owner.
func TestReleasesAndTransfersKeepTheFilter(t *testing.T) {
	s, _, readings := ownersScene(t)
	filter := s.filter("phone")
	s.moves(func(r *level) { r.Returned += 3; r.Taken += 3; r.Moved += 3 })
	s.look()
	require.Same(t, filter, s.filter("phone"))
	require.Equal(t, 1, *readings)
}

// TestSalesOfOtherGatewaysHaveTheOwnersReadAgain: this gateway does not have their buyers.
func TestSalesOfOtherGatewaysHaveTheOwnersReadAgain(t *testing.T) {
	s, _, readings := ownersScene(t)
	s.cancelled("mine")
	s.moves(func(r *level) { r.Taken++ })
	s.stock.set(func(f *fakeStock) { f.owners[phone] = []string{"owner", "mine", "theirs"} })
	s.look()
	require.Equal(t, 2, *readings)
	require.Equal(t, http.StatusConflict, s.press("ann", "").status)
	before := len(s.stock.purchases())
	for _, owner := range []string{"owner", "mine", "theirs"} {
		s.press(owner, "")
	}
	require.Len(t, s.stock.purchases(), before+3)
}

// TestPurchaseUnderWayDuringTheReadingIsNotCounted: the reading may contain it already, and then it would hide another sale.
func TestPurchaseUnderWayDuringTheReadingIsNotCounted(t *testing.T) {
	s, b, _ := ownersScene(t)
	b.owners.Store(nil)
	s.stock.set(func(f *fakeStock) {
		f.decide = func(p sale.Purchase) sale.Answer {
			// read after the unit was taken
			b.owners.Store(&owners{epoch: 1, sold: map[int]int64{1: 101}, filter: bloom.New(64, 3), room: 10})
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 77, CreatedAt: noon}
		}
	})
	require.Equal(t, http.StatusAccepted, s.press("owner", "").status)
	require.Empty(t, b.owners.Load().own)
	require.Nil(t, s.filter("phone"), "every purchase goes to Redis until the next look")
	s.moves(func(r *level) { r.Taken = 102 })
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Nil(t, s.filter("phone"), "a sale of another gateway does not count as this one")
}

// TestReadingsOfOwnersAreSpaced: by ten times the time of the last one, also if the latch opens and closes meanwhile.
func TestReadingsOfOwnersAreSpaced(t *testing.T) {
	const took = 300 * time.Millisecond
	s, _, readings := ownersScene(t)
	w, now := s.gateway.latchWatcher, time.Hour
	w.owners.clock = func() time.Duration { return now }
	w.owners.stock = hookedStock{s.stock, func() { *readings++; now += took }}
	look := func() {
		require.NoError(t, w.look(context.Background()))
		if s.readOwners() {
			require.NoError(t, w.look(context.Background()))
		}
	}
	s.moves(func(r *level) { r.Taken++ })
	look()
	require.Equal(t, 2, *readings)
	for range 9 { // other gateways sell
		now += took
		s.moves(func(r *level) { r.Taken++ })
		w.open(s.closing("phone"))
		w.soldOut(s.item("autumn", "phone").latch)
		look()
		require.Equal(t, 2, *readings)
		require.Nil(t, s.filter("phone"), "meanwhile every purchase goes to Redis")
	}
	now += took
	look()
	require.Equal(t, 3, *readings)
	require.NotNil(t, s.filter("phone"))
}

// TestOwnersWithoutRoomAreReadAgain: every buyer passes a filter that is too full.
func TestOwnersWithoutRoomAreReadAgain(t *testing.T) {
	s, b, readings := ownersScene(t)
	known := b.owners.Load()
	require.Equal(t, minOwners-1, known.room)
	known.room = 1
	s.cancelled("first")
	s.cancelled("second")
	s.look()
	require.Equal(t, 2, *readings)
}

func TestSalesOfAnotherEpochAreNotCounted(t *testing.T) {
	s, b, _ := ownersScene(t)
	known := b.owners.Load()
	item := s.item("autumn", "phone")
	for epoch, want := range map[int64]int64{0: 0, 1: 2, 2: 0} {
		known.own = nil
		item.latch.sale.sold(known, &sale.Purchase{Epoch: epoch, Buyer: "ann"}, []pressLine{{item: item, quantity: 2}})
		require.Equal(t, want, known.own[1])
	}
	s.moves(func(r *level) { *r = level{Epoch: 2, Taken: 100} })
	require.NoError(t, s.gateway.latchWatcher.look(context.Background()))
	require.Nil(t, s.filter("phone"), "an epoch counts from its own beginning")
}
