package sale

import (
	"errors"
	"fmt"
)

// Errors that cross package boundaries; compare with errors.Is or errors.As.
var (
	// ErrNotFound: there is no such sale, order or dead letter.
	ErrNotFound = errors.New("not found")
	// ErrVersionConflict: the rules have changed since the given version.
	ErrVersionConflict = errors.New("version is not the present one")
	// ErrLeaseHeld: another process owns the lease.
	ErrLeaseHeld = errors.New("lease is held by another process")
	// ErrBehind: the database lacks state that other stores have seen, as after a restore of an old backup.
	ErrBehind = errors.New("the database is behind")
	// ErrLostTail: the database has lost a settlement that it had committed, as after a failover to a replica that lagged.
	ErrLostTail = errors.New("the database has lost what it had settled last")
	// ErrForeign: Redis belongs to the database of another engine.
	ErrForeign = errors.New("redis belongs to another engine")
	// ErrRights: a store denies the engine's user a right that the engine needs.
	ErrRights = errors.New("a right is missing")
	// ErrChangeReused: the idempotency key belongs to a stock change of another number of units.
	ErrChangeReused = errors.New("the idempotency key belongs to another stock change")
	// ErrNotFrozen: a thaw was asked for, but the holds of the sale are not frozen.
	ErrNotFrozen = errors.New("the holds of the sale are not frozen")
	// ErrThawing: a freeze was asked for while the orders of the last freeze still get their time.
	ErrThawing = errors.New("a thaw of the sale is under way")
	// ErrSchema: the database schema is older or newer than this binary.
	ErrSchema = errors.New("database schema does not fit this binary")
)

// LostTail is the ErrLostTail of a database that has settled a partition up to an offset, 0 for nothing of it, and had settled it
// up to the offset known.
func LostTail(settled, known int64) error {
	if settled == 0 {
		return fmt.Errorf("%w: it has settled nothing, and had settled up to offset %d", ErrLostTail, known)
	}
	return fmt.Errorf("%w: it has settled up to offset %d, and had settled up to %d", ErrLostTail, settled, known)
}

// StateError reports that the state of a sale does not allow a change of state.
type StateError struct {
	State  State
	Detail string
}

// Error returns the detail and the state.
func (e *StateError) Error() string { return fmt.Sprintf("%s (the sale is %s)", e.Detail, e.State) }

// VersionError reports that the rules do not have the version that was to be replaced. It wraps ErrVersionConflict.
type VersionError struct{ Present int64 }

// Error names the present version.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: it is %d", ErrVersionConflict, e.Present)
}

// Unwrap returns ErrVersionConflict.
func (e *VersionError) Unwrap() error { return ErrVersionConflict }

// StatusError reports that the status of an order does not allow the change. A Pending status is temporary.
type StatusError struct{ Status OrderStatus }

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("the order is %s", e.Status) }

// PaidError reports that another payment has paid the order already.
type PaidError struct{ PaymentID string }

// Error names the payment.
func (e *PaidError) Error() string {
	return fmt.Sprintf("the order was paid by payment %q", e.PaymentID)
}

// PoisonError reports that one record of a settlement can never settle. Index is its index among the deliveries.
type PoisonError struct {
	Index  int
	Reason string // one of the Poison reasons
	Err    error
}

// Reasons of dead letters: the label of flashsale_dead_letters_total.
const (
	PoisonDecode        = "decode"         // it is not a record of a known version
	PoisonUnknownBucket = "unknown_bucket" // it names a sale, SKU or bucket that the database does not have
	PoisonData          = "data"           // the database refuses its values
)

// Error names the record and the cause.
func (e *PoisonError) Error() string {
	return fmt.Sprintf("record %d cannot settle (%s): %v", e.Index, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *PoisonError) Unwrap() error { return e.Err }
