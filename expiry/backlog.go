package expiry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
	"flashsale/series"
)

// Bounds of the count of unpaid orders, which reads every one of them.
const (
	countEvery   = 5 * time.Second
	countTimeout = time.Minute // of the whole count, about 20 million orders; the store makes each of its statements short
	// countShare is how many times as long as a count the rest after it is at least, so that the database counts for 2 % of the
	// time at most.
	countShare = 50
)

// backlog counts the orders that are not paid yet, and those that are to expire. It is a prometheus.Collector that reports only
// while this process owns the lease of expiry, so that a sum over the processes is right, and only after a count that has not
// failed.
type backlog struct {
	unpaid, overdue, oldest *prometheus.Desc

	mu    sync.Mutex
	owned bool
	known bool
	found []sale.UnpaidOrders // the sales with the most orders first
}

func newBacklog() *backlog {
	return &backlog{
		unpaid: prometheus.NewDesc("flashsale_unpaid_orders",
			fmt.Sprintf("Confirmed orders whose payment time runs; %s: beyond the %d sales with the most.",
				series.Other, series.MaxSales),
			[]string{"sale"}, nil),
		overdue: prometheus.NewDesc("flashsale_overdue_orders",
			"Unpaid orders that are to expire and have not yet; those of frozen sales are not.", nil, nil),
		oldest: prometheus.NewDesc("flashsale_overdue_oldest_seconds",
			"For how long the order that is longest overdue is so, 0 when none is.", nil, nil),
	}
}

// own records whether this process owns the lease of expiry.
func (b *backlog) own(owned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owned, b.known = owned, false
}

func (b *backlog) isOwned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owned
}

// read counts if this process owns the lease.
func (b *backlog) read(ctx context.Context, from Unpaid) error {
	if !b.isOwned() {
		return nil
	}
	found, err := from.UnpaidOrders(ctx)
	slices.SortFunc(found, func(x, y sale.UnpaidOrders) int {
		return cmp.Or(cmp.Compare(y.Orders, x.Orders), cmp.Compare(x.Sale, y.Sale))
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.found = b.owned && err == nil, found
	if err != nil {
		return fmt.Errorf("count the backlog of expiry: %w", err)
	}
	return nil
}

// Describe is part of prometheus.Collector.
func (b *backlog) Describe(out chan<- *prometheus.Desc) {
	out <- b.unpaid
	out <- b.overdue
	out <- b.oldest
}

// Collect is part of prometheus.Collector.
func (b *backlog) Collect(out chan<- prometheus.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return
	}
	var others, overdue int64
	var oldest time.Duration
	shown := 0
	for _, one := range b.found {
		overdue, oldest = overdue+one.Overdue, max(oldest, one.Oldest)
		if shown == series.MaxSales || one.Sale == series.Other {
			others += one.Orders
			continue
		}
		shown++
		out <- prometheus.MustNewConstMetric(b.unpaid, prometheus.GaugeValue, float64(one.Orders), one.Sale)
	}
	out <- prometheus.MustNewConstMetric(b.unpaid, prometheus.GaugeValue, float64(others), series.Other)
	out <- prometheus.MustNewConstMetric(b.overdue, prometheus.GaugeValue, float64(overdue))
	out <- prometheus.MustNewConstMetric(b.oldest, prometheus.GaugeValue, oldest.Seconds())
}
