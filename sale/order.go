package sale

import "time"

// OrderStatus is the durability of an order and, after that, its result.
// It only moves along held → queued → confirmed → paid, cancelled or expired, or from held or queued to refused.
type OrderStatus string

// The statuses. The first three are promises: held = taken in Redis and journaled there; queued = acknowledged by Kafka;
// confirmed = committed in the database.
const (
	StatusHeld      OrderStatus = "held"
	StatusQueued    OrderStatus = "queued"
	StatusConfirmed OrderStatus = "confirmed"
	StatusPaid      OrderStatus = "paid"
	StatusCancelled OrderStatus = "cancelled"
	StatusExpired   OrderStatus = "expired"
	StatusRefused   OrderStatus = "refused"
)

// Pending reports whether the order has no row in the database yet; a waiting reader then keeps waiting.
func (s OrderStatus) Pending() bool { return s == StatusHeld || s == StatusQueued }

// OrderReason explains a status where the status alone does not.
type OrderReason string

// Reasons of refused orders, of queued orders that wait for the operator (ReasonDeadLetter), and of cancelled ones.
const (
	ReasonNone       OrderReason = ""
	ReasonFenced     OrderReason = "fenced"      // the epoch of the batch was over
	ReasonDeadLetter OrderReason = "dead_letter" // the record could not settle; the operator decides or has decided
	ReasonOverLimit  OrderReason = "over_limit"  // Redis let the buyer buy more than the database allows
	ReasonSoldOut    OrderReason = "sold_out"    // Redis sold more units than the database allows
	ReasonBuyer      OrderReason = "buyer"       // the buyer cancelled
	ReasonShop       OrderReason = "shop"        // the shop or an operator cancelled
)

// Order is one accepted purchase as shops and buyers see it. Its JSON has the members of AppendOrder.
type Order struct {
	OrderID   OrderID     `json:"order_id"`
	Status    OrderStatus `json:"status"`
	Reason    OrderReason `json:"reason,omitempty"`
	Sale      string      `json:"sale"`
	Lines     []Line      `json:"lines"`
	Currency  string      `json:"currency"`
	CreatedAt Time        `json:"created_at"`
	UpdatedAt Time        `json:"updated_at"`
	PayBy     *Time       `json:"pay_by,omitempty"` // absent when the sale has no payment deadline

	BuyerID   string `json:"-"` // only OperatorOrder shows it
	PaymentID string `json:"-"`
}

// Has reports whether a line of the order is of this SKU.
func (o *Order) Has(sku string) bool {
	for i := range o.Lines {
		if o.Lines[i].SKU == sku {
			return true
		}
	}
	return false
}

// MarshalJSON writes the order as AppendOrder does.
func (o Order) MarshalJSON() ([]byte, error) { return AppendOrder(nil, &o), nil }

// OperatorOrder is an order with the members that only the shop and operators may read.
type OperatorOrder struct {
	Order
	BuyerID   string `json:"buyer_id"`
	PaymentID string `json:"payment_id,omitempty"`
}

// MarshalJSON writes the order as AppendOperatorOrder does.
func (o OperatorOrder) MarshalJSON() ([]byte, error) {
	order := o.Order
	order.BuyerID, order.PaymentID = o.BuyerID, o.PaymentID
	return AppendOperatorOrder(nil, &order), nil
}

// ForOperator returns the operators' view of the order.
func (o Order) ForOperator() OperatorOrder {
	return OperatorOrder{Order: o, BuyerID: o.BuyerID, PaymentID: o.PaymentID}
}

// LeastToPay is the least time, in seconds, between the confirmation of an order and its payment deadline; a shorter payment
// time of the sale replaces it. The payment time starts with the purchase, so without LeastToPay an outage of settlement
// could use it up.
const LeastToPay = 60

// PayBy returns the payment deadline of an order created at created, nil when ttlSeconds is 0.
func PayBy(created time.Time, ttlSeconds int64) *Time {
	if ttlSeconds == 0 {
		return nil
	}
	deadline := Time{created.Add(time.Duration(ttlSeconds) * time.Second)}
	return &deadline
}
