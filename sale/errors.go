package sale

import (
	"errors"
	"fmt"
)

// Errors that cross package boundaries; compare with errors.Is or errors.As.
var (
	// ErrNotFound: no such sale, order or dead letter.
	ErrNotFound = errors.New("not found")
	// ErrVersionConflict: the rules were changed by someone else since the version named.
	ErrVersionConflict = errors.New("version is not the present one")
	// ErrLeaseHeld: another process holds the lease.
	ErrLeaseHeld = errors.New("lease is held by another process")
	// ErrBehind: the database has lost what other stores have seen of it, as after an old backup was restored.
	ErrBehind = errors.New("the database is behind")
	// ErrForeign: Redis belongs to another engine's database.
	ErrForeign = errors.New("redis belongs to another engine")
	// ErrRights: a store does not let the engine's user do what the engine relies on.
	ErrRights = errors.New("a right is missing")
	// ErrSchema: the database schema is older or newer than this binary.
	ErrSchema = errors.New("database schema does not fit this binary")
)

// StateError says that a move does not fit the state a sale is in.
type StateError struct {
	State  State
	Detail string
}

// Error returns the detail and the state.
func (e *StateError) Error() string { return fmt.Sprintf("%s (the sale is %s)", e.Detail, e.State) }

// VersionError says that the rules have another version than the one that was to be replaced. It is an ErrVersionConflict.
type VersionError struct{ Present int64 }

// Error names the present version.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: it is %d", ErrVersionConflict, e.Present)
}

// Unwrap returns ErrVersionConflict.
func (e *VersionError) Unwrap() error { return ErrVersionConflict }

// StatusError says that an order's status does not allow what was asked. A Pending status passes.
type StatusError struct{ Status OrderStatus }

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("the order is %s", e.Status) }

// PaidError says that an order was paid before, by another payment.
type PaidError struct{ PaymentID string }

// Error names the payment.
func (e *PaidError) Error() string {
	return fmt.Sprintf("the order was paid by payment %q", e.PaymentID)
}

// PoisonError says that one record of a settlement can never settle, and why. Index is its place among the deliveries.
type PoisonError struct {
	Index  int
	Reason string // one of the Poison reasons
	Err    error
}

// Reasons of dead letters: the label of flashsale_dead_letters_total.
const (
	PoisonDecode        = "decode"         // not a record of a known version
	PoisonUnknownBucket = "unknown_bucket" // names a sale, SKU or bucket that the database does not have
	PoisonData          = "data"           // the database refuses its values
)

// Error names the record and the cause.
func (e *PoisonError) Error() string {
	return fmt.Sprintf("record %d cannot settle (%s): %v", e.Index, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *PoisonError) Unwrap() error { return e.Err }
