package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/logs"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/series"
	"flashsale/store"
)

// orderCounts counts the orders that this process has brought to a status, by sale. It knows every sale of the catalogue that
// may have orders, of which the busiest have series. A sale's series begin at 0 before its first order: a counter that began with
// the first count would hide it from every rate.
type orderCounts struct {
	*series.Family
	log logs.Log

	mu     sync.Mutex
	states map[string]sale.State
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
	return &orderCounts{log: log, states: map[string]sale.State{}, Family: series.New(prometheus.CounterOpts{
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

// follow gives the changed sales series, and ends those of archived ones, which have no orders any more.
func (c *orderCounts) follow(changed []sale.Sale) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range changed {
		id, state := changed[i].ID, changed[i].State
		switch state {
		case sale.StateDraft: // has had no order
		case sale.StateArchived:
			delete(c.states, id)
			c.Forget(id)
		default:
			c.states[id] = state
			c.Sale(id)
		}
	}
}

// rank orders the sales of which no order has moved: those that sell come first, and then those that will.
func (c *orderCounts) rank(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Index([]sale.State{sale.StateClosed, sale.StatePreloaded, sale.StatePaused, sale.StateOpen}, c.states[id])
}

// followed is the database of which a role of the process reads the changes of the catalogue; the process counts the orders of
// the sales in them.
type followed struct {
	*store.Store
	orders *orderCounts
}

// Changes reads the changes of the catalogue since a version.
func (f followed) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	changes, err := f.Store.Changes(ctx, since)
	if err == nil {
		f.orders.follow(changes.Sales)
	}
	return changes, err
}

// run decides from time to time which sales have series, until ctx ends.
func (c *orderCounts) run(ctx context.Context) {
	loop := role.Loop{
		Name: "busiest sales", Every: series.JudgeEvery, Log: c.log.Logger,
		Unit: func(context.Context) error { c.Judge(time.Now(), c.rank); return nil },
	}
	loop.Run(ctx)
}
