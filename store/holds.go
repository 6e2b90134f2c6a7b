package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlHolds  = "SELECT holds_frozen_since, thaw_no, thaw_at FROM sales WHERE sale_id = ?"
	sqlFreeze = "UPDATE sales SET holds_frozen_since = ? WHERE sale_id = ?"

	// A transaction that changes bucket rows counts itself, so that a cluster of several writers finds two as a conflict.
	sqlFreezeBuckets = "frozen = 1, writes = writes + 1"
	sqlThawBuckets   = "thaw_no = ?, thawed_ms = ?, writes = writes + 1"
	sqlEndBuckets    = "frozen = 0, writes = writes + 1"
)

// frozenHolds is what the trail says of a freeze or a thaw.
type frozenHolds struct {
	Since  *sale.Time `json:"holds_frozen_since"`
	Reason string     `json:"reason,omitempty"` // of a freeze by the engine
	Moved  *float64   `json:"moved_by_s,omitempty"`
}

// FreezeHolds freezes the holds of a sale and returns it: after the answer none of its unpaid orders expires until a thaw ends
// the freeze. The transaction locks all bucket rows of the sale, and an expiry locks them too, so it has committed before or
// finds the freeze. Payments and cancellations go on. The reason is that of the engine, empty for an operator.
//
// A sale that is frozen is returned unchanged. For a draft or an archived sale the error is a *sale.StateError; while a thaw is
// under way it wraps sale.ErrThawing.
func (s *Store) FreezeHolds(ctx context.Context, id, reason string) (sale.Sale, error) {
	var frozen sale.Sale
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		frozen, err = s.freezeHolds(ctx, tx, id, reason)
		return err
	})
	if err != nil {
		return sale.Sale{}, fmt.Errorf("freeze the holds of sale %s: %w", id, err)
	}
	faults.Point("store.holds-frozen")
	return frozen, nil
}

func (s *Store) freezeHolds(ctx context.Context, tx *sql.Tx, id, reason string) (sale.Sale, error) {
	present, _, err := s.lockSale(ctx, tx, id)
	if err == nil {
		err = ledger.MayFreeze(&present)
	}
	if err != nil {
		return sale.Sale{}, err
	}
	if present.HoldsFrozenSince != nil {
		held, err := readHolds(ctx, tx, id)
		if err == nil && held.thawAt != nil {
			err = sale.ErrThawing
		}
		return present, err
	}
	rows, err := s.lockSaleBuckets(ctx, tx, id)
	if err != nil {
		return sale.Sale{}, err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return sale.Sale{}, err
	}
	if _, err := tx.ExecContext(ctx, sqlFreeze, moment{now}, id); err != nil {
		return sale.Sale{}, err
	}
	if err := s.updateBuckets(ctx, tx, sqlFreezeBuckets, nil, bucketsOfRows(rows)); err != nil {
		return sale.Sale{}, err
	}
	err = s.note(ctx, tx, sale.Change{Sale: id, Verb: sale.VerbFreeze, Target: sale.TargetSale(id),
		Before: frozenHolds{}, After: frozenHolds{Since: &now, Reason: reason}})
	if err != nil {
		return sale.Sale{}, err
	}
	return stampSale(ctx, tx, id)
}

// holds is the freeze of a sale.
type holds struct {
	since  *sale.Time // nil: not frozen
	thawNo int64      // thaws that have begun
	thawAt *sale.Time // of the thaw that is under way, nil: there is none
}

func readHolds(ctx context.Context, tx *sql.Tx, id string) (held holds, err error) {
	var since, thawAt nullMoment
	err = tx.QueryRowContext(ctx, sqlHolds, id).Scan(&since, &held.thawNo, &thawAt)
	held.since, held.thawAt = since.time, thawAt.time
	return held, err
}

// now reads the database's clock.
func (s *Store) now(ctx context.Context, tx *sql.Tx) (sale.Time, error) {
	var now moment
	err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now)
	return now.Time, err
}

const (
	sqlBeginThaw = "UPDATE sales SET thaw_no = ?, thaw_at = ? WHERE sale_id = ?"
	sqlAddThaw   = "INSERT INTO thaws (sale_id, thaw_no, at_ms, shift_ms) VALUES (?, ?, ?, ?)"
	sqlThaw      = "SELECT at_ms, shift_ms FROM thaws WHERE sale_id = ? AND thaw_no = ?"
)

// BeginThaw begins to end the freeze of a sale, or finds the thaw that has begun. Until ThawOrders has moved all orders the sale
// stays frozen. An order that settles from now on and was made before gets its time when it settles, because the bucket rows
// name the thaw. The error wraps sale.ErrNotFrozen if the sale is not frozen.
func (s *Store) BeginThaw(ctx context.Context, id string) (sale.Thaw, error) {
	var thaw sale.Thaw
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		thaw, err = s.beginThaw(ctx, tx, id)
		return err
	})
	if err != nil {
		return sale.Thaw{}, fmt.Errorf("thaw the holds of sale %s: %w", id, err)
	}
	faults.Point("store.thaw-begun")
	return thaw, nil
}

func (s *Store) beginThaw(ctx context.Context, tx *sql.Tx, id string) (sale.Thaw, error) {
	if _, _, err := s.lockSale(ctx, tx, id); err != nil {
		return sale.Thaw{}, err
	}
	held, err := readHolds(ctx, tx, id)
	switch {
	case err != nil:
		return sale.Thaw{}, err
	case held.since == nil:
		return sale.Thaw{}, sale.ErrNotFrozen
	case held.thawAt != nil:
		var atMS, shiftMS int64
		err := tx.QueryRowContext(ctx, sqlThaw, id, held.thawNo).Scan(&atMS, &shiftMS)
		return thawOf(id, held.thawNo, atMS, shiftMS), err
	}
	rows, err := s.lockSaleBuckets(ctx, tx, id)
	if err != nil {
		return sale.Thaw{}, err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return sale.Thaw{}, err
	}
	thaw := thawOf(id, held.thawNo+1, now.UnixMilli(), ledger.ShiftOf(*held.since, now))
	if _, err := tx.ExecContext(ctx, sqlBeginThaw, thaw.Number, moment{now}, id); err != nil {
		return sale.Thaw{}, err
	}
	if _, err := tx.ExecContext(ctx, sqlAddThaw, id, thaw.Number, now.UnixMilli(), thaw.Shift.Milliseconds()); err != nil {
		return sale.Thaw{}, err
	}
	set := []any{thaw.Number, now.UnixMilli()}
	if err := s.updateBuckets(ctx, tx, sqlThawBuckets, set, bucketsOfRows(rows)); err != nil {
		return sale.Thaw{}, err
	}
	moved := thaw.Shift.Seconds()
	return thaw, s.note(ctx, tx, sale.Change{Sale: id, Verb: sale.VerbThaw, Target: sale.TargetSale(id),
		Before: frozenHolds{Since: held.since}, After: frozenHolds{Moved: &moved}})
}

func thawOf(id string, number, atMS, shiftMS int64) sale.Thaw {
	return sale.Thaw{Sale: id, Number: number, At: sale.TimeMillis(atMS), Shift: time.Duration(shiftMS) * time.Millisecond}
}

const sqlEndThaw = "UPDATE sales SET holds_frozen_since = NULL, thaw_at = NULL WHERE sale_id = ?"

// endThaw ends a thaw that has moved all orders, and its freeze. It does nothing if that thaw has ended.
func (s *Store) endThaw(ctx context.Context, thaw *sale.Thaw) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		if _, _, err := s.lockSale(ctx, tx, thaw.Sale); err != nil {
			return err
		}
		held, err := readHolds(ctx, tx, thaw.Sale)
		if err != nil || held.thawAt == nil || held.thawNo != thaw.Number {
			return err
		}
		rows, err := s.lockSaleBuckets(ctx, tx, thaw.Sale)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqlEndThaw, thaw.Sale); err != nil {
			return err
		}
		if err := s.updateBuckets(ctx, tx, sqlEndBuckets, nil, bucketsOfRows(rows)); err != nil {
			return err
		}
		return stampSaleRow(ctx, tx, thaw.Sale)
	})
}
