package sale

import (
	"math"
	"slices"
)

// RowStatuses returns the statuses that an order with a row in the database may have.
func RowStatuses() []OrderStatus {
	return []OrderStatus{StatusConfirmed, StatusPaid, StatusCancelled, StatusExpired, StatusRefused}
}

// OrderPosition is a place in the feed of orders, which is sorted by UpdatedAt and OrderID: behind the order of these two.
type OrderPosition struct {
	UpdatedAt Time
	OrderID   OrderID
}

// LaterThan returns the position before the first order that changed later than a moment.
func LaterThan(moment Time) OrderPosition { return OrderPosition{moment, math.MaxInt64} }

// Before reports whether an order is behind the position.
func (p OrderPosition) Before(o *Order) bool {
	return o.UpdatedAt.After(p.UpdatedAt.Time) || o.UpdatedAt.Equal(p.UpdatedAt.Time) && o.OrderID > p.OrderID
}

// OrderQuery selects orders that have a row. An empty filter selects all.
type OrderQuery struct {
	Sale   string
	Buyer  string
	SKU    string // of any line
	Status OrderStatus
	After  *OrderPosition // nil: from the first order on
	Limit  int            // most orders of a page, at least 1
}

// Selects reports whether an order meets the filters and is behind the position.
func (q *OrderQuery) Selects(o *Order) bool {
	return (q.Sale == "" || o.Sale == q.Sale) && (q.Buyer == "" || o.BuyerID == q.Buyer) && (q.SKU == "" || o.Has(q.SKU)) &&
		(q.Status == "" || o.Status == q.Status) && (q.After == nil || q.After.Before(o))
}

// KnownRowStatus reports whether rows may have the status.
func KnownRowStatus(s OrderStatus) bool { return slices.Contains(RowStatuses(), s) }

// OrderPage is a part of the feed of orders.
type OrderPage struct {
	Orders []Order        // in the order of UpdatedAt and OrderID
	Next   *OrderPosition // where the next page begins; nil: there is none. A page before another may have any number of orders
	Now    Time           // the database's clock before the page was read
}
