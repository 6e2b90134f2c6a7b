package expiry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/series"
	"flashsale/test/memory"
)

const backlogMetrics = 2 // overdue and oldest, besides a series for each sale

// The unpaid orders of a sale, and what is overdue of all sales. A sale that is named as the sum of the others is one of them.
func TestBacklogIsShown(t *testing.T) {
	b := newBacklog()
	b.own(true)
	require.Zero(t, testutil.CollectAndCount(b), "nothing was counted yet")
	require.NoError(t, b.read(t.Context(), &fakeUnpaid{unpaid: []sale.UnpaidOrders{
		{Sale: "autumn", Orders: 7, Overdue: 3, Oldest: 1500 * time.Millisecond}, {Sale: "other", Orders: 2, Overdue: 1},
		{Sale: "winter", Orders: 9},
	}}))
	require.NoError(t, testutil.CollectAndCompare(b, strings.NewReader(`
# HELP flashsale_overdue_oldest_seconds For how long the order that is longest overdue is so, 0 when none is.
# TYPE flashsale_overdue_oldest_seconds gauge
flashsale_overdue_oldest_seconds 1.5
# HELP flashsale_overdue_orders Unpaid orders that are to expire and have not yet; those of frozen sales are not.
# TYPE flashsale_overdue_orders gauge
flashsale_overdue_orders 4
# HELP flashsale_unpaid_orders Confirmed orders whose payment time runs; other: beyond the 100 sales with the most.
# TYPE flashsale_unpaid_orders gauge
flashsale_unpaid_orders{sale="autumn"} 7
flashsale_unpaid_orders{sale="other"} 2
flashsale_unpaid_orders{sale="winter"} 9
`)))
	require.ErrorIs(t, b.read(t.Context(), &fakeUnpaid{away: true}), errAway)
	require.Zero(t, testutil.CollectAndCount(b), "an old number cannot be told from a fresh one")
	require.NoError(t, b.read(t.Context(), &fakeUnpaid{}))
	require.Equal(t, 1+backlogMetrics, testutil.CollectAndCount(b))
	b.own(false)
	require.Zero(t, testutil.CollectAndCount(b), "another process counts")
}

func TestBacklogHasABoundedNumberOfSales(t *testing.T) {
	b, unpaid := newBacklog(), &fakeUnpaid{}
	for i := range 3 * series.MaxSales {
		unpaid.unpaid = append(unpaid.unpaid, sale.UnpaidOrders{Sale: fmt.Sprintf("s%03d", i), Orders: int64(i + 1)})
	}
	b.own(true)
	require.NoError(t, b.read(t.Context(), unpaid))
	require.Equal(t, series.MaxSales+1+backlogMetrics, testutil.CollectAndCount(b))
	registry := prometheus.NewRegistry()
	registry.MustRegister(b)
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "flashsale_unpaid_orders" {
			require.Equal(t, "other", family.GetMetric()[0].GetLabel()[0].GetValue())
			require.Equal(t, float64(200*201/2), family.GetMetric()[0].GetGauge().GetValue())
			require.Equal(t, "s200", family.GetMetric()[1].GetLabel()[0].GetValue(), "those with the most")
		}
	}
}

// One process counts, and a slow count is followed by a long rest.
func TestOneReaperCountsAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := memory.New(memory.Options{})
		first, second := &fakeUnpaid{takes: time.Second}, &fakeUnpaid{}
		a, b := newFakeReaper(t, first, leases, "a"), newFakeReaper(t, second, leases, "b")
		endA := reaping(t, a)
		synctest.Wait()
		endB := reaping(t, b)
		<-time.After(2*countEvery + 10*time.Second)
		require.Equal(t, 1, first.counts, "a count of 1 s is followed by a rest of 50 s")
		require.Zero(t, second.counts)
		require.Equal(t, 1+backlogMetrics, testutil.CollectAndCount(a.backlog))
		<-time.After(time.Minute)
		require.Equal(t, 2, first.counts)
		endA()
		<-time.After(lease.TTL + lease.AskEvery + countEvery)
		require.Equal(t, 1+backlogMetrics, testutil.CollectAndCount(b.backlog), "the other process took over")
		require.Zero(t, testutil.CollectAndCount(a.backlog))
		endB()
	})
}
