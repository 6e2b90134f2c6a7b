package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/logs"
	"flashsale/sale"
	"flashsale/series"
)

// Orders count for their sale by the status that they got; a status that no row has is not counted.
func TestOrdersAreCountedByStatus(t *testing.T) {
	c := newOrderCounts(logs.Log{})
	c.moved("autumn", sale.StatusConfirmed, 3)
	c.moved("autumn", sale.StatusPaid, 2)
	c.moved("autumn", sale.StatusHeld, 9)
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`
# HELP flashsale_orders_total Orders that this process has brought to a status; other: of all but the busiest sales.
# TYPE flashsale_orders_total counter
flashsale_orders_total{sale="autumn",status="cancelled"} 0
flashsale_orders_total{sale="autumn",status="confirmed"} 3
flashsale_orders_total{sale="autumn",status="expired"} 0
flashsale_orders_total{sale="autumn",status="paid"} 2
flashsale_orders_total{sale="autumn",status="refused"} 0
flashsale_orders_total{sale="other",status="cancelled"} 0
flashsale_orders_total{sale="other",status="confirmed"} 0
flashsale_orders_total{sale="other",status="expired"} 0
flashsale_orders_total{sale="other",status="paid"} 0
flashsale_orders_total{sale="other",status="refused"} 0
`)))
}

// A sale has its series at 0 before its first order; of more sales than have series those that sell have them. An archived sale
// has none.
func TestOrdersAreCountedFromZero(t *testing.T) {
	c := newOrderCounts(logs.Log{})
	known := func() map[string]float64 {
		registry := prometheus.NewRegistry()
		registry.MustRegister(c)
		families, err := registry.Gather()
		require.NoError(t, err)
		paid := map[string]float64{}
		for _, m := range families[0].GetMetric() {
			if m.GetLabel()[1].GetValue() == string(sale.StatusPaid) {
				paid[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
		return paid
	}
	c.follow([]sale.Sale{{ID: "spring", State: sale.StatePreloaded}, {ID: "draft", State: sale.StateDraft}})
	require.Equal(t, map[string]float64{"spring": 0, "other": 0}, known())
	c.follow([]sale.Sale{{ID: "spring", State: sale.StateArchived}})
	require.Equal(t, map[string]float64{"other": 0}, known())
	for i := range series.MaxSales {
		c.follow([]sale.Sale{{ID: fmt.Sprint("closed-", i), State: sale.StateClosed}})
	}
	c.follow([]sale.Sale{{ID: "sells", State: sale.StateOpen}})
	c.Judge(time.Now(), c.rank)
	require.Contains(t, known(), "sells")
}

// A process has the runtime's pauses and latencies as histograms, in few series.
func TestRuntimeMetricsAreFew(t *testing.T) {
	families, err := newRegistry().Gather()
	require.NoError(t, err)
	found, lines := map[string]bool{}, 0
	for _, family := range families {
		found[family.GetName()] = true
		for _, m := range family.GetMetric() {
			lines += 1 + len(m.GetHistogram().GetBucket()) + len(m.GetSummary().GetQuantile())
		}
	}
	for _, name := range []string{
		"go_sched_latencies_seconds", "go_sched_pauses_total_gc_seconds", "go_gc_duration_seconds", "go_goroutines",
		"go_cpu_classes_gc_total_cpu_seconds_total", "go_sync_mutex_wait_total_seconds_total", "go_memory_classes_total_bytes",
	} {
		require.True(t, found[name], "%s is missing of %v", name, found)
	}
	t.Log("series of a process without work:", lines)
	require.Less(t, lines, 120)
}
