package sale

import "time"

// OrderStatus says how durable an order is and where its life has led.
// It only moves along held → queued → confirmed → paid, cancelled or expired, or from held or queued to refused.
type OrderStatus string

// The words are promises: held = taken in Redis and journaled there; queued = acknowledged by Kafka; confirmed =
// committed in the database.
const (
	StatusHeld      OrderStatus = "held"
	StatusQueued    OrderStatus = "queued"
	StatusConfirmed OrderStatus = "confirmed"
	StatusPaid      OrderStatus = "paid"
	StatusCancelled OrderStatus = "cancelled"
	StatusExpired   OrderStatus = "expired"
	StatusRefused   OrderStatus = "refused"
)

// Pending reports whether the order's row is not in the database yet, so that a waiting reader goes on waiting.
func (s OrderStatus) Pending() bool { return s == StatusHeld || s == StatusQueued }

// OrderReason explains a status where the status alone does not.
type OrderReason string

// Reasons of refused orders, of queued orders that wait for the operator (ReasonDeadLetter), and of cancelled ones.
const (
	ReasonNone       OrderReason = ""
	ReasonFenced     OrderReason = "fenced"      // the batch belongs to an epoch that is over
	ReasonDeadLetter OrderReason = "dead_letter" // the record could not settle; the operator decides or has decided
	ReasonOverLimit  OrderReason = "over_limit"  // Redis and the database disagreed about the buyer; the database won
	ReasonSoldOut    OrderReason = "sold_out"    // Redis and the database disagreed about the stock; the database won
	ReasonBuyer      OrderReason = "buyer"       // the buyer cancelled
	ReasonShop       OrderReason = "shop"        // the shop or an operator cancelled
)

// Order is one accepted purchase as shops and buyers see it.
type Order struct {
	OrderID        OrderID     `json:"order_id"`
	Status         OrderStatus `json:"status"`
	Reason         OrderReason `json:"reason,omitempty"`
	Sale           string      `json:"sale"`
	SKU            string      `json:"sku"`
	Quantity       int         `json:"quantity"`
	UnitPriceCents int64       `json:"unit_price_cents"`
	Currency       string      `json:"currency"`
	CreatedAt      Time        `json:"created_at"`
	UpdatedAt      Time        `json:"updated_at"`
	PayBy          *Time       `json:"pay_by,omitempty"` // absent when the sale has no payment deadline

	BuyerID   string `json:"-"` // operators see it, through OperatorOrder
	PaymentID string `json:"-"`
}

// OperatorOrder is an order with what only the shop and operators may read.
type OperatorOrder struct {
	Order
	BuyerID   string `json:"buyer_id"`
	PaymentID string `json:"payment_id,omitempty"`
}

// ForOperator returns the operators' view of the order.
func (o Order) ForOperator() OperatorOrder {
	return OperatorOrder{Order: o, BuyerID: o.BuyerID, PaymentID: o.PaymentID}
}

// LeastToPay is what an order gets at least to be paid after it is confirmed, in seconds, or its payment time where that is
// less: the payment time runs from the press, and settlement may have been away until it was over.
const LeastToPay = 60

// PayBy returns the payment deadline of an order created at created, nil when ttlSeconds is 0.
func PayBy(created time.Time, ttlSeconds int64) *Time {
	if ttlSeconds == 0 {
		return nil
	}
	deadline := Time{created.Add(time.Duration(ttlSeconds) * time.Second)}
	return &deadline
}
