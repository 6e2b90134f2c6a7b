package memory

import (
	"context"
	"slices"

	"flashsale/sale"
)

// maxEventRows bounds the events of one answer.
const maxEventRows = 100

// OrderEvents returns the events that are not yet published, with the orders as they were at the event: at most maxOrders
// orders, unless the first event alone has more, and no order twice.
func (d *Database) OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error) {
	return call(ctx, d, "OrderEvents", func() ([]sale.OrderEvent, error) {
		events := []sale.OrderEvent{}
		named := map[sale.OrderID]bool{}
		for _, e := range d.t.Events[:min(maxEventRows, len(d.t.Events))] {
			again := slices.ContainsFunc(e.Orders, func(id sale.OrderID) bool { return named[id] })
			if again || (len(events) > 0 && len(named)+len(e.Orders) > maxOrders) {
				break
			}
			event := sale.OrderEvent{ID: e.ID, Orders: make([]sale.Order, len(e.Orders)), Extended: e.Status == extended}
			for i, id := range e.Orders {
				named[id] = true
				event.Orders[i] = asItWas(d.t.Orders[id], &e, i)
			}
			events = append(events, event)
		}
		return events, nil
	})
}

// asItWas returns an order as it was at the moment of an event, in which it has a place. After confirmed there may be
// extensions and a final status.
func asItWas(now *Order, e *Event, place int) sale.Order {
	o := now.Order
	if e.Status != sale.StatusConfirmed && e.Status != extended {
		return o
	}
	o.Status, o.Reason, o.PaymentID = sale.StatusConfirmed, sale.ReasonNone, ""
	o.UpdatedAt = sale.TimeMillis(max(o.CreatedAt.UnixMilli(), e.AtMS))
	switch {
	case e.Status == extended:
		o.PayBy = &e.PayBy[place]
	case now.FirstPayBy != nil:
		o.PayBy = now.FirstPayBy
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
