package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

// Bounds of remembered payments. If an order has no row after maxRemembered, Redis has lost it while Kafka was not reachable,
// and it will never settle.
const (
	maxRememberedRows = 100_000
	maxRemembered     = 7 * 24 * time.Hour
)

const (
	sqlForgetOld     = "DELETE FROM remembered_payments WHERE noted_ms < %s - ?"
	sqlRemembered    = "SELECT payment_id FROM remembered_payments WHERE order_id = ?"
	sqlCountPayments = "SELECT COUNT(*) FROM remembered_payments"
	sqlRemember      = "INSERT INTO remembered_payments (order_id, payment_id, noted_ms) VALUES (?, ?, %s)"
	sqlAnyRemembered = "SELECT order_id FROM remembered_payments LIMIT 1"
	sqlRememberedOf  = "SELECT order_id, payment_id FROM remembered_payments WHERE order_id IN ("
	sqlForgetOf      = "DELETE FROM remembered_payments WHERE order_id IN ("
)

// RememberPayment stores the payment of an order that has no row yet: the transaction that writes the row also pays it. It
// reports whether this payment is stored: the first payment of an order counts, and there is room for 100,000 rows. The
// payment is deleted when the order gets a row in any status, and after seven days.
//
// The caller must call PayOrder once more afterwards. A settlement that looked for payments before this commit has written
// the row before that look, so PayOrder waits for its commit and finds the row.
func (s *Store) RememberPayment(ctx context.Context, id sale.OrderID, paymentID string) (remembered bool, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) (err error) {
		remembered, err = s.rememberPayment(ctx, tx, id, paymentID)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remember the payment of order %d: %w", id, err)
	}
	faults.Point("store.payment-remembered")
	return remembered, nil
}

func (s *Store) rememberPayment(ctx context.Context, tx *sql.Tx, id sale.OrderID, paymentID string) (bool, error) {
	first, err := s.rememberedPayment(ctx, tx, id)
	if err != nil || first != "" {
		return first == paymentID, err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(sqlForgetOld, s.dialect.nowMS), maxRemembered.Milliseconds()); err != nil {
		return false, err
	}
	var rows int
	if err := tx.QueryRowContext(ctx, sqlCountPayments).Scan(&rows); err != nil || rows >= maxRememberedRows {
		return false, err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(sqlRemember, s.dialect.nowMS), int64(id), paymentID)
	if s.dialect.fault(err) == faultDuplicate {
		return false, errors.Join(errStartOver, err)
	}
	if err == nil {
		err = s.note(ctx, tx, sale.Change{Verb: sale.VerbPay, Target: sale.TargetOrder(id),
			After: map[string]any{"payment_id": paymentID, "remembered": true}})
	}
	return err == nil, err
}

// rememberedPayment returns the stored payment of an order, empty if there is none.
func (s *Store) rememberedPayment(ctx context.Context, q querier, id sale.OrderID) (payment string, err error) {
	err = q.QueryRowContext(ctx, sqlRemembered, int64(id)).Scan(&payment)
	if isNoRows(err) {
		return "", nil
	}
	return payment, err
}

// payRemembered pays those of the orders that have a stored payment and returns the orders that it has paid. It deletes the
// payments, also that of a refused order. The rows must be locked: written in this transaction, or read for update.
//
// Call it only after writing the rows. Most of the time there is no stored payment at all, and it costs one small query.
func (s *Store) payRemembered(ctx context.Context, tx *sql.Tx, nowMS int64, ids []sale.OrderID) (paid []sale.OrderID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = tx.QueryRowContext(ctx, sqlAnyRemembered).Scan(new(int64))
	if isNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for remembered payments: %w", err)
	}
	for chunk := range slices.Chunk(ids, maxIDs) {
		some, err := s.payRememberedOf(ctx, tx, nowMS, chunk)
		if err != nil {
			return nil, fmt.Errorf("pay orders with remembered payments: %w", err)
		}
		paid = append(paid, some...)
	}
	if err := writeEvents(ctx, tx, nowMS, map[sale.OrderStatus][]sale.OrderID{sale.StatusPaid: paid}); err != nil {
		return nil, err
	}
	return paid, s.seePaymentsOf(ctx, tx, paid, nowMS)
}

func (s *Store) payRememberedOf(
	ctx context.Context, tx *sql.Tx, nowMS int64, ids []sale.OrderID,
) (paid []sale.OrderID, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = int64(id)
	}
	payments := map[sale.OrderID]string{}
	err = each(ctx, tx, sqlRememberedOf+placeholders(len(args))+")", args, func(rows scanner) error {
		var id sale.OrderID
		var payment string
		err := rows.Scan(&id, &payment)
		payments[id] = payment
		return err
	})
	if err != nil || len(payments) == 0 {
		return nil, err
	}
	pay := fmt.Sprintf(sqlPayRemembered, s.dialect.forced)
	now := datetime(nowMS)
	for _, id := range ids {
		payment, remembered := payments[id]
		if !remembered {
			continue
		}
		result, err := tx.ExecContext(ctx, pay, payment, now, now, int64(id))
		if err != nil {
			return nil, err
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		if changed == 1 {
			paid = append(paid, id)
		}
	}
	_, err = tx.ExecContext(ctx, sqlForgetOf+placeholders(len(args))+")", args...)
	return paid, err
}

const sqlPayRemembered = "UPDATE orders%s SET status = 'paid', payment_id = ?, due_at = NULL, " +
	"updated_at = CASE WHEN created_at > ? THEN created_at ELSE ? END WHERE order_id = ? AND status = 'confirmed'"
