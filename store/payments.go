package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

// seePaymentEvery is how often, at most, a process notes for a sale that payments come: a fraction of the shortest time that an
// operator can set as the end of payments.
const seePaymentEvery = 250 * time.Millisecond

// seenPayments remembers when this process has last noted a payment of each sale.
type seenPayments struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due reports whether the next payment of a sale is to be noted.
func (p *seenPayments) due(saleID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last[saleID]) >= seePaymentEvery
}

// noted is called when a transaction that has noted a payment is committed.
func (p *seenPayments) noted(saleID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	p.last[saleID] = time.Now()
}

const (
	sqlSeePayment    = "UPDATE payments_seen SET paid_ms = ? WHERE sale_id = ? AND paid_ms < ?"
	sqlFirstPayment  = "INSERT INTO payments_seen (sale_id, paid_ms) VALUES (?, ?)"
	sqlSalesOfOrders = "SELECT DISTINCT sale_id FROM orders WHERE order_id IN ("
)

// seePayment notes that an order of a sale is paid, in the transaction that pays it. The row is the last lock of the
// transaction; with those of several sales, in the order of their ids.
func (s *Store) seePayment(ctx context.Context, tx *sql.Tx, saleID string, nowMS int64) error {
	result, err := tx.ExecContext(ctx, sqlSeePayment, nowMS, saleID, nowMS)
	if err != nil {
		return fmt.Errorf("note that payments come: %w", err)
	}
	changed, err := result.RowsAffected()
	if err == nil && changed == 0 { // the first one, or one that another process has noted
		_, err = tx.ExecContext(ctx, sqlFirstPayment+s.dialect.absent("sale_id"), saleID, nowMS)
	}
	return err
}

// seePaymentsOf notes the sales of paid orders.
func (s *Store) seePaymentsOf(ctx context.Context, tx *sql.Tx, paid []sale.OrderID, nowMS int64) error {
	sales := map[string]bool{}
	for chunk := range slices.Chunk(paid, maxIDs) {
		err := each(ctx, tx, sqlSalesOfOrders+placeholders(len(chunk))+")", idArgs(chunk), func(rows scanner) error {
			var id string
			err := rows.Scan(&id)
			sales[id] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(sales)) {
		if err := s.seePayment(ctx, tx, id, nowMS); err != nil {
			return err
		}
	}
	return nil
}

const sqlSeenPayments = "SELECT p.sale_id, p.paid_ms, " +
	"COALESCE((SELECT MAX(t.at_ms) FROM thaws t WHERE t.sale_id = p.sale_id), 0), %s FROM payments_seen p WHERE p.sale_id IN ("

// silentSales returns those of the sales for which payments came before and none has come for a time.
func (s *Store) silentSales(ctx context.Context, sales []string, after time.Duration) (map[string]time.Duration, error) {
	silent := map[string]time.Duration{} // since the last payment
	for chunk := range slices.Chunk(sales, maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		query := fmt.Sprintf(sqlSeenPayments, s.dialect.nowMS) + placeholders(len(chunk)) + ")"
		err := each(ctx, s.db, query, args, func(rows scanner) error {
			var id string
			var paidMS, thawedMS, nowMS int64
			err := rows.Scan(&id, &paidMS, &thawedMS, &nowMS)
			if ledger.Silent(paidMS, thawedMS, nowMS, after) {
				silent[id] = time.Duration(nowMS-paidMS) * time.Millisecond
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return silent, nil
}

// freezeSilent freezes the sales of due orders for which no payment comes any more, on behalf of the engine, and leaves out
// their orders.
func (s *Store) freezeSilent(ctx context.Context, l *look, after time.Duration) ([]string, error) {
	due := map[string]bool{}
	for i := range l.found {
		due[l.found[i].Sale] = true
	}
	if len(due) == 0 {
		return nil, nil
	}
	silent, err := s.silentSales(ctx, slices.Sorted(maps.Keys(due)), after)
	if err != nil {
		return nil, fmt.Errorf("look for payments: %w", err)
	}
	var frozen []string
	for _, id := range slices.Sorted(maps.Keys(silent)) {
		if _, err := s.FreezeHolds(ctx, id, ledger.SilentReason(silent[id])); err != nil {
			return frozen, err
		}
		frozen = append(frozen, id)
	}
	l.drop(frozen)
	return frozen, nil
}
