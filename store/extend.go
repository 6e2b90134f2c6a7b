package store

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const sqlExtend = "UPDATE orders%s SET first_pay_by = COALESCE(first_pay_by, pay_by), pay_by = ?, due_at = ?, updated_at = ? " +
	"WHERE order_id = ? AND status = 'confirmed'"

// payByOf is what the trail says of an extension.
type payByOf struct {
	PayBy *sale.Time `json:"pay_by"`
}

// ExtendOrder moves the end of the payment time of a confirmed order to a later moment and returns the order, unchanged if it
// ends then already. The lock of the order's row decides between extension, payment, expiry and cancellation. For a time that is
// not later, not in the future or more than 7 days from now the error is a *sale.FieldError, for another status, also that of an
// order in a waiting dead letter, a *sale.StatusError, and for an unknown order it wraps sale.ErrNotFound.
func (s *Store) ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) (sale.Order, error) {
	var order sale.Order
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		order, err = s.extendOrder(ctx, tx, id, payBy)
		return err
	})
	if err != nil {
		return sale.Order{}, fmt.Errorf("extend order %d: %w", id, err)
	}
	faults.Point("store.order-extended")
	return order, nil
}

func (s *Store) extendOrder(ctx context.Context, tx *sql.Tx, id sale.OrderID, payBy sale.Time) (sale.Order, error) {
	locked, nowMS, err := s.lockOrders(ctx, tx, []sale.OrderID{id})
	if err != nil {
		return sale.Order{}, err
	}
	if len(locked) == 0 {
		return sale.Order{}, s.missing(ctx, tx, id, "")
	}
	order := locked[0].Order
	payBy = sale.TimeMillis(payBy.UnixMilli())
	if moves, err := ledger.Extends(&order, payBy, nowMS); err != nil || !moves {
		return order, err
	}
	was := order.PayBy
	order.PayBy, order.UpdatedAt = &payBy, changedAt(order.CreatedAt, nowMS)
	extend := fmt.Sprintf(sqlExtend, s.dialect.forced)
	args := []any{moment{payBy}, moment{payBy}, moment{order.UpdatedAt}, int64(id)}
	if err := changeExactly(ctx, tx, 1, "order rows", extend, args); err != nil {
		return sale.Order{}, err
	}
	if err := writeExtensions(ctx, tx, nowMS, []extended{{id, payBy.UnixMilli()}}); err != nil {
		return sale.Order{}, err
	}
	err = s.note(ctx, tx, sale.Change{Sale: order.Sale, Verb: sale.VerbExtend, Target: sale.TargetOrder(id),
		Before: payByOf{was}, After: payByOf{&payBy}})
	faults.Point("store.extension-written")
	return order, err
}
