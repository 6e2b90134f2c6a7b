package ledger

import (
	"flashsale/sale"
)

// Cancels decides whether an order becomes cancelled: true when it does now, false without an error when it was before.
// Otherwise the error is a *sale.StatusError.
func Cancels(o *sale.Order) (bool, error) {
	switch o.Status {
	case sale.StatusConfirmed:
		return true, nil
	case sale.StatusCancelled:
		return false, nil
	}
	return false, &sale.StatusError{Status: o.Status}
}

// Pays decides whether an order becomes paid: true when it does now, false without an error when this payment has paid it
// before. The error is a *sale.PaidError for another payment, a *sale.StatusError for any other status.
func Pays(o *sale.Order, paymentID string) (bool, error) {
	switch {
	case o.Status == sale.StatusConfirmed:
		return true, nil
	case o.Status == sale.StatusPaid && o.PaymentID == paymentID:
		return false, nil
	case o.Status == sale.StatusPaid:
		return false, &sale.PaidError{PaymentID: o.PaymentID}
	}
	return false, &sale.StatusError{Status: o.Status}
}

// Expires decides whether an order expires: it waits for its payment and the time is over.
func Expires(o *sale.Order, nowMS int64) bool {
	return o.Status == sale.StatusConfirmed && o.PayBy != nil && o.PayBy.UnixMilli() <= nowMS
}
