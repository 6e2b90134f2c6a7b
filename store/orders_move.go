package store

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// CancelOrder cancels a confirmed order and gives its units back, once. It returns an order that was
// cancelled before unchanged. If buyer is not empty and not the order's, the error wraps sale.ErrNotFound. For any other
// status, also that of an order in a waiting dead letter, the error is a *sale.StatusError.
func (s *Store) CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error) {
	var order sale.Order
	paid := false
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		order, paid, err = s.cancelOrder(ctx, tx, id, reason, buyer)
		return err
	})
	if err == nil && paid { // the transaction has committed a remembered payment instead
		err = &sale.StatusError{Status: sale.StatusPaid}
	}
	if err != nil {
		return sale.Order{}, fmt.Errorf("cancel order %d: %w", id, err)
	}
	faults.Point("store.cancelled")
	return order, nil
}

const sqlHome = "SELECT sale_id, bucket, buyer_id FROM orders WHERE order_id = ?"

func (s *Store) cancelOrder(
	ctx context.Context, tx *sql.Tx, id sale.OrderID, reason sale.OrderReason, buyer string,
) (order sale.Order, paid bool, err error) {
	var bucket sale.Bucket
	var owner string
	err = tx.QueryRowContext(ctx, sqlHome, int64(id)).Scan(&bucket.Sale, &bucket.Number, &owner)
	switch {
	case isNoRows(err):
		return order, false, s.missing(ctx, tx, id, buyer)
	case err != nil:
		return order, false, err
	case buyer != "" && owner != buyer:
		return order, false, sale.ErrNotFound
	}
	rows, _, err := s.lockBuckets(ctx, tx, []sale.Bucket{bucket})
	if err != nil {
		return order, false, err
	}
	locked, nowMS, err := s.lockOrders(ctx, tx, []sale.OrderID{id})
	if err != nil {
		return order, false, err
	}
	if len(locked) == 0 || rows[bucket] == nil {
		return order, false, fmt.Errorf("its row or that of bucket %s has gone: %w", bucket, sale.ErrNotFound)
	}
	order = locked[0].Order
	if moves, err := ledger.Cancels(&order); err != nil || !moves {
		return order, false, err
	}
	payments, err := s.payRemembered(ctx, tx, nowMS, []sale.OrderID{id}) // a remembered payment precedes
	if err != nil || len(payments) > 0 {
		return order, len(payments) > 0, err
	}
	leaving := []ledger.Releasing{locked[0].releasing()}
	decided, err := s.planRelease(ctx, tx, rows, nowMS, leaving, sale.StatusCancelled, reason)
	if err != nil {
		return order, false, err
	}
	order.Status, order.Reason, order.UpdatedAt = sale.StatusCancelled, reason, changedAt(order.CreatedAt, nowMS)
	err = s.writePlan(ctx, tx, nowMS, decided)
	if err == nil && reason != sale.ReasonBuyer {
		err = s.note(ctx, tx, sale.OrderChange(&locked[0].Order, &order, sale.VerbCancel))
	}
	faults.Point("store.cancel-written")
	return order, false, err
}

// changedAt returns the time of a change of an order: now, but not before its creation.
func changedAt(created sale.Time, nowMS int64) sale.Time {
	return sale.TimeMillis(max(created.UnixMilli(), nowMS))
}

// missing returns the error for an order without a row: a *sale.StatusError if it is in a waiting dead letter and belongs to
// the buyer, otherwise sale.ErrNotFound.
func (s *Store) missing(ctx context.Context, q querier, id sale.OrderID, buyer string) error {
	err := sale.ErrNotFound
	failed := each(ctx, q, sqlWaitingOrders+"d.order_id = ?", []any{int64(id)}, func(r scanner) error {
		order, failed := scanWaitingOrder(r)
		if buyer == "" || order.BuyerID == buyer {
			err = &sale.StatusError{Status: order.Status}
		}
		return failed
	})
	if failed != nil {
		return failed
	}
	return err
}

const sqlPay = "UPDATE orders%s SET status = 'paid', payment_id = ?, due_at = NULL, updated_at = ? " +
	"WHERE order_id = ? AND status = 'confirmed'"

// PayOrder writes the payment of a confirmed order. A second call with the same payment changes nothing and returns the order.
// The error is a *sale.PaidError if another payment has paid it, a *sale.StatusError for another status, and wraps
// sale.ErrNotFound for an unknown order. A payment moves no stock, so it locks only the order's row; that lock decides between
// payment, expiry and cancellation.
func (s *Store) PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error) {
	var order sale.Order
	notes := false
	err := s.transact(ctx, func(tx *sql.Tx) (err error) {
		order, notes, err = s.payOrder(ctx, tx, id, paymentID)
		return err
	})
	if err == nil && notes {
		s.payments.noted(order.Sale)
	}
	if err == nil && order.PaymentID != paymentID { // a remembered payment has paid it in this transaction
		err = &sale.PaidError{PaymentID: order.PaymentID}
	}
	if err != nil {
		return sale.Order{}, fmt.Errorf("pay order %d: %w", id, err)
	}
	faults.Point("store.paid")
	return order, nil
}

// payOrder also reports whether it has noted that payments of the sale come.
func (s *Store) payOrder(ctx context.Context, tx *sql.Tx, id sale.OrderID, paymentID string) (
	order sale.Order, notes bool, err error,
) {
	locked, nowMS, err := s.lockOrders(ctx, tx, []sale.OrderID{id})
	if err != nil {
		return order, false, err
	}
	if len(locked) == 0 {
		return order, false, s.missing(ctx, tx, id, "")
	}
	order = locked[0].Order
	if moves, err := ledger.Pays(&order, paymentID); err != nil || !moves {
		return order, false, err
	}
	first, err := s.rememberedPayment(ctx, tx, id)
	if err != nil {
		return order, false, err
	}
	if first != "" { // a remembered payment precedes
		paymentID = first
		if _, err := tx.ExecContext(ctx, sqlForgetOf+"?)", int64(id)); err != nil {
			return order, false, err
		}
	}
	order.Status, order.PaymentID, order.UpdatedAt = sale.StatusPaid, paymentID, changedAt(order.CreatedAt, nowMS)
	pay := fmt.Sprintf(sqlPay, s.dialect.forced)
	if err := changeExactly(ctx, tx, 1, "order rows", pay, []any{paymentID, moment{order.UpdatedAt}, int64(id)}); err != nil {
		return order, false, err
	}
	err = writeEvents(ctx, tx, nowMS, map[sale.OrderStatus][]sale.OrderID{sale.StatusPaid: {id}})
	if err == nil {
		err = s.note(ctx, tx, sale.OrderChange(&locked[0].Order, &order, sale.VerbPay))
	}
	if notes = err == nil && s.payments.due(order.Sale); notes {
		err = s.seePayment(ctx, tx, order.Sale, nowMS)
	}
	faults.Point("store.payment-written")
	return order, notes, err
}
