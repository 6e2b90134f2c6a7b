package app

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/logs"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/series"
)

// orderCounts counts the orders that this process has brought to a status, by sale. It knows every sale of which it has counted
// one, of which the busiest have series.
type orderCounts struct {
	*series.Family
	log logs.Log
}

// movedOrders is called with the orders of a sale that a commit has brought to a status.
type movedOrders func(saleID string, status sale.OrderStatus, orders int64)

// orderStatuses returns the statuses that an order gets in the database.
func orderStatuses() []sale.OrderStatus {
	return []sale.OrderStatus{
		sale.StatusConfirmed, sale.StatusRefused, sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired,
	}
}

func newOrderCounts(log logs.Log) *orderCounts {
	labels := make([]string, 0, len(orderStatuses()))
	for _, status := range orderStatuses() {
		labels = append(labels, string(status))
	}
	return &orderCounts{log: log, Family: series.New(prometheus.CounterOpts{
		Name: "flashsale_orders_total",
		Help: "Orders that this process has brought to a status; other: of all but the busiest sales.",
	}, "status", labels)}
}

// moved counts orders of a sale that are in a status now. The store calls it after each commit.
func (c *orderCounts) moved(saleID string, status sale.OrderStatus, orders int64) {
	if kind := slices.Index(orderStatuses(), status); kind >= 0 {
		c.Sale(saleID).Add(kind, orders)
	}
}

// run decides from time to time which sales have series, until ctx ends.
func (c *orderCounts) run(ctx context.Context) {
	loop := role.Loop{
		Name: "busiest sales", Every: series.JudgeEvery, Log: c.log.Logger,
		Unit: func(context.Context) error { c.Judge(time.Now(), nil); return nil },
	}
	loop.Run(ctx)
}
