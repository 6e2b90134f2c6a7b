package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flashsale/sale"
)

func TestIdlePollsChangeNothing(t *testing.T) {
	s := newScene(t)
	for i := range 200 {
		s.database.publish(autumn(func(s *sale.Sale) { s.ID = fmt.Sprintf("sale-%d", i) }))
	}
	s.pollCatalogue()
	before := s.gateway.catalogue.current.Load()
	allocations := testing.AllocsPerRun(50, s.pollCatalogue)
	require.Same(t, before, s.gateway.catalogue.current.Load())
	require.Less(t, allocations, 20.0, "for any number of sales")
}

func TestRulesAloneLeaveTheSalesAlone(t *testing.T) {
	s := newScene(t).open(autumn())
	before := s.gateway.catalogue.current.Load()
	rules(sale.Rules{})(s)
	after := s.gateway.catalogue.current.Load()
	require.Same(t, before.sales["autumn"], after.sales["autumn"])
	require.Same(t, before.names, after.names)
	require.Greater(t, after.version, before.version)
}

func TestChangesOfOneBucketLeaveTheOthers(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 3 }), autumn(func(s *sale.Sale) { s.ID = "winter" }))
	before := s.gateway.catalogue.current.Load()
	s.database.bucket(sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn", Number: 1}, Epoch: 2,
		State: sale.BucketLoading, Partition: 9})
	s.pollCatalogue()
	after := s.gateway.catalogue.current.Load()
	require.Same(t, before.sales["winter"], after.sales["winter"])
	live := after.sales["autumn"]
	require.Equal(t, 2, live.open)
	require.EqualValues(t, []int64{1, 2, 1}, []int64{live.buckets[0].Epoch, live.buckets[1].Epoch, live.buckets[2].Epoch})
	require.EqualValues(t, 3, before.sales["autumn"].open, "a published snapshot never changes")
	require.Same(t, before.sales["autumn"].items["phone"], live.items["phone"], "rows are no part of the items")
}

func TestRowsThatFitNoBucketAreIgnored(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, b := range []sale.Bucket{{Sale: "none"}, {Sale: "autumn", Number: 5}} {
		s.database.bucket(sale.BucketRow{Bucket: b, Epoch: 9, State: sale.BucketOpen})
	}
	s.pollCatalogue()
	require.Len(t, s.gateway.catalogue.current.Load().sales, 1)
	require.EqualValues(t, 1, s.gateway.catalogue.current.Load().sales["autumn"].buckets[0].Epoch)
}

// An archived sale leaves the catalogue, also when its rows come again with later changes.
func TestArchivedSalesAreForgotten(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(s *sale.Sale) { s.ID = "winter" }))
	gone := autumn(func(s *sale.Sale) { s.State = sale.StateArchived })
	row := sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn"}, Epoch: 2, State: sale.BucketArchived}
	for range 2 {
		s.database.set(func(b *fakeDatabase) {
			b.version++
			b.pending.Sales, b.pending.Buckets = []sale.Sale{gone}, []sale.BucketRow{row}
		})
		s.pollCatalogue()
		snapshot := s.gateway.catalogue.current.Load()
		require.Len(t, snapshot.sales, 1)
		require.False(t, snapshot.names.TestString("autumn/items/phone"))
	}
	s.refused(s.press("ann", ""), sale.OutcomeSaleNotFound, nil)
}

func TestBucketsThatHaveNoRowYetAreInDoubt(t *testing.T) {
	s := newScene(t)
	s.database.set(func(b *fakeDatabase) { b.version++; b.pending.Sales = []sale.Sale{autumn()} })
	s.pollCatalogue()
	s.refused(s.press("ann", ""), sale.OutcomeFenced, nil)
}

func TestFilterOfNamesKnowsEveryItem(t *testing.T) {
	s := newScene(t)
	for i := range 100 {
		s.database.publish(autumn(func(s *sale.Sale) {
			s.ID, s.Items = fmt.Sprintf("sale-%d", i), nil
			for j := range 20 {
				s.Items = append(s.Items, sale.Item{SKU: fmt.Sprintf("sku-%d", j), Stock: 1})
			}
		}))
	}
	s.pollCatalogue()
	catalogue := s.gateway.catalogue.current.Load()
	strangers := 0
	for i := range 100 {
		for j := range 20 {
			at := locate(fmt.Appendf(nil, "/v1/sales/sale-%d/items/sku-%d/orders", i, j))
			_, item, _ := catalogue.find(at)
			require.NotNil(t, item)
			if catalogue.names.Test(fmt.Appendf(nil, "sale-%d/items/other-%d", i, j)) {
				strangers++
			}
		}
	}
	require.Less(t, strangers, 100, "about one in a hundred passes to the maps")
}

func TestListsAreReadOnceAndDroppedAtTheEnd(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Eligibility, s.ListVersion, s.ListSize = sale.EligibilityList, 1, 2 }))
	current := func() *snapshot { return s.gateway.catalogue.current.Load() }
	build := func(now time.Time) error { return s.gateway.lists.build(context.Background(), current(), now) }

	s.database.set(func(b *fakeDatabase) { b.listed["autumn"] = []string{"ann"} })
	require.ErrorContains(t, build(noon), "1 buyers, expected 2")
	require.Nil(t, current().sales["autumn"].list.Load(), "a list that changed during the reading gives no filter")

	s.database.set(func(b *fakeDatabase) { b.listed["autumn"] = []string{"ann", "bob"}; b.failing = errAway })
	require.ErrorIs(t, build(noon), errAway)
	s.database.set(func(b *fakeDatabase) { b.failing = nil })
	require.NoError(t, build(noon))
	filter := current().sales["autumn"].list.Load()
	require.NotNil(t, filter)
	require.NoError(t, build(noon))
	require.Same(t, filter, current().sales["autumn"].list.Load())

	s.open(autumn(func(s *sale.Sale) { s.Eligibility, s.ListVersion, s.ListSize = sale.EligibilityList, 2, 3 }))
	require.True(t, current().sales["autumn"].listed("cid"), "a filter of another list refuses no buyer")
	require.NoError(t, build(noon.Add(2*time.Hour)))
	require.Nil(t, current().sales["autumn"].list.Load(), "an ended sale needs no filter")
}

// TestRolesBuildListsAndLookForViewers runs the real roles, with a list that cannot be read at first.
func TestRolesBuildListsAndLookForViewers(t *testing.T) {
	s := newScene(t)
	s.run()
	s.database.set(func(b *fakeDatabase) { b.listed["autumn"] = []string{"ann"} })
	s.database.publish(autumn(func(s *sale.Sale) { s.Eligibility, s.ListVersion, s.ListSize = sale.EligibilityList, 1, 2 }))
	require.Eventually(t, func() bool { return s.press("cid", "").status == 202 }, 10*time.Second, time.Millisecond)
	s.database.set(func(b *fakeDatabase) { b.listed["autumn"] = []string{"ann", "bob"} })
	require.Eventually(t, func() bool { return s.press("cid", "").status == 403 }, 10*time.Second, 10*time.Millisecond)

	s.stock.set(func(f *fakeStock) { f.readings[phone] = level{Epoch: 1} })
	require.Eventually(t, func() bool {
		s.stock.now.Add(watchInterval.Milliseconds() / 10)
		s.send("GET", "/v1/sales/autumn", "")
		return s.item("autumn", "phone").latch.soldOut()
	}, 10*time.Second, 10*time.Millisecond)
}

func TestPanicOfARoleCostsOneUnit(t *testing.T) {
	s := newScene(t)
	err := s.gateway.safely("a role", func() error { panic("a fault") })
	require.ErrorContains(t, err, "a role: panic: a fault")
	require.EqualValues(t, 1, s.metric("flashsale_panics_total", "", ""))
}

func TestOptionsNameEveryFault(t *testing.T) {
	_, err := Options{MaxInFlight: -1, ReadTimeout: -time.Second}.withDefaults()
	require.ErrorContains(t, err, "purchases in flight")
	require.ErrorContains(t, err, "read timeout")
	require.ErrorContains(t, err, "token keys")

	keys, err := NewSecrets(secret, nil)
	require.NoError(t, err)
	_, err = New(Options{Keys: keys}, Deps{})
	require.ErrorContains(t, err, "dependency")

	s := newScene(t)
	breakers, err := NewBreakers()
	require.NoError(t, err)
	deps := Deps{Catalogue: s.database, Stock: s.stock, Levels: s.stock, Orders: s.database, Cancels: s.database,
		Breakers: breakers, Registerer: s.registry}
	_, err = New(Options{Keys: keys}, deps)
	require.ErrorContains(t, err, "register gateway metrics", "metrics are not shared by accident")
	deps.Registerer = prometheus.NewRegistry()
	_, err = New(Options{Keys: keys}, deps)
	require.NoError(t, err, "two gateways fit in one process")
}

// TestRunLeavesNothingBehind: when the roles have ended, no goroutine of theirs lives on.
func TestRunLeavesNothingBehind(t *testing.T) {
	s := newScene(t).open(autumn())
	require.Equal(t, 200, s.send("GET", "/livez", "").status) // the server's own goroutines are there
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.gateway.Run(ctx) }()
	polls := s.database.polls.Load()
	require.Eventually(t, func() bool { return s.database.polls.Load() > polls }, 10*time.Second, time.Millisecond)
	cancel()
	<-ended
	goleak.VerifyNone(t, before)
}
