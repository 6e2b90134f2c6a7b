package ledger

import (
	"fmt"
	"time"

	"flashsale/sale"
)

// MayFreeze refuses to freeze a sale that cannot have unpaid orders: the error is a *sale.StateError.
func MayFreeze(of *sale.Sale) error {
	if of.State == sale.StateDraft || of.State == sale.StateArchived {
		return &sale.StateError{State: of.State, Detail: fmt.Sprintf("a sale that is %s has no unpaid orders", of.State)}
	}
	return nil
}

// Thaw is a thaw that has begun: the payment time of orders that were made before it moves, once.
type Thaw struct {
	AtMS    int64 // Unix milliseconds
	ShiftMS int64 // the time that the freeze took
}

// Moves reports whether the thaw moves an order that was made at a time.
func (t *Thaw) Moves(createdMS int64) bool { return createdMS < t.AtMS }

// ShiftOf returns the time between a freeze and its thaw in milliseconds, 0 if the clock went back in between.
func ShiftOf(frozen, thawed sale.Time) int64 { return max(thawed.UnixMilli()-frozen.UnixMilli(), 0) }

// moved returns by how much the thaws of a sale that have begun move an order that settles only now.
func (s *State) moved(saleID string, createdMS int64) (ms int64) {
	for i := range s.Thaws[saleID] {
		if t := &s.Thaws[saleID][i]; t.Moves(createdMS) {
			ms += t.ShiftMS
		}
	}
	return ms
}

// Extends decides about an extension of the payment time. It returns true if it moves, and false without an error if it ends at
// that time already. For an order that is not confirmed the error is a *sale.StatusError, for a time out of range a
// *sale.FieldError.
func Extends(o *sale.Order, to sale.Time, nowMS int64) (bool, error) {
	ms := to.UnixMilli()
	last := nowMS + sale.MaxExtension.Milliseconds()
	switch {
	case o.Status != sale.StatusConfirmed:
		return false, &sale.StatusError{Status: o.Status}
	case o.PayBy == nil:
		return false, sale.Fieldf("pay_by", "orders of this sale have no end of their payment time")
	case ms == o.PayBy.UnixMilli():
		return false, nil
	case ms < o.PayBy.UnixMilli():
		return false, sale.Fieldf("pay_by", "must be later than the present one, %s", o.PayBy)
	case ms <= nowMS:
		return false, sale.Fieldf("pay_by", "must be in the future, after %s", sale.TimeMillis(nowMS))
	case ms > last:
		return false, sale.Fieldf("pay_by", "must be at most 7 days from now, at %s", sale.TimeMillis(last))
	}
	return true, nil
}

// Silent reports whether no payment of a sale comes any more though some came before: the last one and the last thaw are a time
// ago, or longer. Moments are Unix milliseconds, 0 for none.
func Silent(paidMS, thawedMS, nowMS int64, after time.Duration) bool {
	return paidMS > 0 && nowMS-max(paidMS, thawedMS) >= after.Milliseconds()
}

// SilentReason returns the reason of a freeze because the last payment came a time ago.
func SilentReason(since time.Duration) string {
	return fmt.Sprintf("orders fall due and the last payment was %s ago", since.Round(time.Second))
}
