package ledger

import (
	"flashsale/sale"
)

// Cancels decides about a cancellation. It returns true if the order becomes cancelled, and false without an error if it was
// cancelled before. For any other status the error is a *sale.StatusError.
func Cancels(o *sale.Order) (bool, error) {
	switch o.Status {
	case sale.StatusConfirmed:
		return true, nil
	case sale.StatusCancelled:
		return false, nil
	}
	return false, &sale.StatusError{Status: o.Status}
}

// Pays decides about a payment. It returns true if the order becomes paid, and false without an error if this payment has
// paid it before. The error is a *sale.PaidError if another payment has, and a *sale.StatusError for any other status.
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

// Expires reports whether an order of a bucket expires at a time in Unix milliseconds: it is confirmed, its payment time is
// over, and the holds of its sale are not frozen. row is nil if the bucket has no row.
func Expires(o *sale.Order, row *Row, nowMS int64) bool {
	if row != nil && row.Frozen {
		return false
	}
	return o.Status == sale.StatusConfirmed && o.PayBy != nil && o.PayBy.UnixMilli() <= nowMS
}
