package admin

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
	"flashsale/series"
)

var stateDesc = prometheus.NewDesc("flashsale_sale_state",
	fmt.Sprintf("1 for the state that a sale is in, 0 for the others; of the %d sales that matter most now.", series.MaxSales),
	[]string{"sale", "state"}, nil)

// statesOfSales returns the states that the metric shows, in the order of their importance: of more than series.MaxSales sales,
// those in an earlier state are shown.
func statesOfSales() []sale.State {
	return []sale.State{sale.StateOpen, sale.StatePaused, sale.StatePreloaded, sale.StateDraft, sale.StateClosed}
}

// stateMetrics returns the states of the sales that are not archived and did not end longer than keep ago. Of two in the same
// state, the one that starts or has started nearer to now comes first.
func stateMetrics(sales []sale.Sale, now time.Time, keep time.Duration) []prometheus.Metric {
	states := statesOfSales()
	var shown []*sale.Sale
	for i := range sales {
		if now.Sub(sales[i].EndsAt.Time) <= keep && slices.Contains(states, sales[i].State) {
			shown = append(shown, &sales[i])
		}
	}
	if len(shown) > series.MaxSales {
		slices.SortFunc(shown, func(a, b *sale.Sale) int {
			return cmp.Or(cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)),
				cmp.Compare(now.Sub(a.StartsAt.Time).Abs(), now.Sub(b.StartsAt.Time).Abs()), cmp.Compare(a.ID, b.ID))
		})
		shown = shown[:series.MaxSales]
	}
	metrics := make([]prometheus.Metric, 0, len(shown)*len(states))
	for _, s := range shown {
		for _, state := range states {
			metrics = append(metrics, gauge(stateDesc, oneIf(s.State == state), s.ID, string(state)))
		}
	}
	return metrics
}
