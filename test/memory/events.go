package memory

import (
	"context"
	"slices"

	"flashsale/sale"
)

// maxEventRows bounds the events of one answer.
const maxEventRows = 100

// OrderEvents returns what is still to be told about orders, with the orders as they were at that moment: at most maxOrders
// orders, unless the first event alone has more, and no order twice.
func (d *Database) OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error) {
	return call(ctx, d, "OrderEvents", func() ([]sale.OrderEvent, error) {
		told := []sale.OrderEvent{}
		named := map[sale.OrderID]bool{}
		for _, e := range d.t.Events[:min(maxEventRows, len(d.t.Events))] {
			again := slices.ContainsFunc(e.Orders, func(id sale.OrderID) bool { return named[id] })
			if again || (len(told) > 0 && len(named)+len(e.Orders) > maxOrders) {
				break
			}
			event := sale.OrderEvent{ID: e.ID, Orders: make([]sale.Order, len(e.Orders))}
			for i, id := range e.Orders {
				named[id] = true
				event.Orders[i] = asItWas(d.t.Orders[id].Order, &e)
			}
			told = append(told, event)
		}
		return told, nil
	})
}

// asItWas makes an order what it was at the moment of an event. Only confirmed has anything after it.
func asItWas(o sale.Order, e *Event) sale.Order {
	if e.Status == sale.StatusConfirmed {
		o.Status, o.Reason, o.PaymentID = e.Status, sale.ReasonNone, ""
		o.UpdatedAt = sale.TimeMillis(max(o.CreatedAt.UnixMilli(), e.AtMS))
	}
	return o
}

// EventsPublished forgets events that the events topic has acknowledged.
func (d *Database) EventsPublished(ctx context.Context, ids []int64) error {
	return d.run(ctx, "EventsPublished", func() error {
		d.t.Events = slices.DeleteFunc(d.t.Events, func(e Event) bool { return slices.Contains(ids, e.ID) })
		return nil
	})
}
