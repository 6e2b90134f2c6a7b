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

// Bounds of what is remembered. An order whose row has not come after maxRemembered is one that Redis lost while Kafka was
// away; nobody will settle it.
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

// RememberPayment keeps the payment of an order that is on its way to the database: when its row comes it is paid in the same
// transaction. It reports whether this payment is the one that is remembered: the first of an order counts, and there is
// room for 100,000. A row forgets its payment, whatever became of the order, and so do seven days.
//
// Whoever remembers has to pay once more afterwards: a settlement that looked for payments
// before this commit has written its row before that look, so that PayOrder waits for it and finds it.
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
	return err == nil, err
}

// rememberedPayment returns the payment that is remembered for an order, empty when there is none.
func (s *Store) rememberedPayment(ctx context.Context, q querier, id sale.OrderID) (payment string, err error) {
	err = q.QueryRowContext(ctx, sqlRemembered, int64(id)).Scan(&payment)
	if isNoRows(err) {
		return "", nil
	}
	return payment, err
}

// payRemembered pays those of the orders for which a payment is remembered, and forgets it, also where the order was
// refused. It returns the ones that it has paid. Their rows are locked: written in this transaction, or read for update.
//
// It looks once the rows are written and never before. Nearly always nothing is remembered,
// and one small query says so.
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
			return nil, fmt.Errorf("pay what is remembered: %w", err)
		}
		paid = append(paid, some...)
	}
	return paid, writeEvents(ctx, tx, nowMS, map[sale.OrderStatus][]sale.OrderID{sale.StatusPaid: paid})
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
