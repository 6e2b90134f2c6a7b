package admin

import (
	"fmt"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Of more sales than are shown, those that sell are shown first, then those that will, the nearest first; one that ended long ago
// is not shown at all.
func TestStatesOfTheSalesThatMatter(t *testing.T) {
	now := time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)
	var sales []sale.Sale
	add := func(state sale.State, count int, starts time.Duration) {
		for i := range count {
			begin := now.Add(starts + time.Duration(i)*time.Minute)
			sales = append(sales, sale.Sale{
				ID: fmt.Sprintf("%s-%d", state, i), State: state, StartsAt: sale.Time{Time: begin},
				EndsAt: sale.Time{Time: begin.Add(time.Hour)},
			})
		}
	}
	add(sale.StateClosed, 30, -5*time.Hour)
	add(sale.StateDraft, 40, time.Hour)
	add(sale.StatePreloaded, 50, time.Hour)
	add(sale.StateOpen, 30, -30*time.Minute)
	sales = append(sales, sale.Sale{ID: "old", State: sale.StateOpen, EndsAt: sale.Time{Time: now.Add(-25 * time.Hour)}})
	states := map[string]string{}
	perState := map[string]int{}
	for _, m := range stateMetrics(sales, now, 24*time.Hour) {
		var read dto.Metric
		require.NoError(t, m.Write(&read))
		if read.GetGauge().GetValue() == 1 {
			states[read.GetLabel()[0].GetValue()] = read.GetLabel()[1].GetValue()
			perState[read.GetLabel()[1].GetValue()]++
		}
	}
	require.Equal(t, map[string]int{"open": 30, "preloaded": 50, "draft": 20}, perState)
	require.Equal(t, "draft", states["draft-19"])
	require.NotContains(t, states, "draft-20", "it starts later")
	require.NotContains(t, states, "old")
	require.Len(t, stateMetrics(sales[:3], now, 24*time.Hour), 3*len(statesOfSales()))
}
