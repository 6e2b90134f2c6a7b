package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// maxThawed bounds the orders that one page of a thaw moves.
const maxThawed = 1000

// placeArgs returns the arguments of dialect.afterDue.
func placeArgs(after sale.DuePlace) []any {
	at := moment{after.DueAt}
	if after == (sale.DuePlace{}) {
		at = moment{sale.TimeMillis(ledger.MinMomentMS)}
	}
	return []any{at, int64(after.Order), at}
}

const sqlToThaw = "SELECT order_id, due_at FROM orders%s WHERE %s" +
	" AND sale_id = ? AND thaw_no < ? AND created_at < ? ORDER BY due_at, order_id LIMIT ?"

// ThawOrders moves the payment time of the next thousand orders of a thaw, or ends the thaw if a whole pass has found none. It
// returns the progress with which the caller calls it again, until it is done. Several callers may do so at once, and a caller
// may begin again with what BeginThaw or Thaws returns: every order moves once.
func (s *Store) ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error) {
	var ids []sale.OrderID
	var after sale.DuePlace
	var err error
	if thaw.Shift > 0 { // otherwise no order moves
		if ids, after, err = s.toThaw(ctx, &thaw); err != nil {
			return sale.Thaw{}, fmt.Errorf("look for orders of sale %s to thaw: %w", thaw.Sale, err)
		}
	}
	switch {
	case len(ids) > 0:
		err = s.transact(ctx, func(tx *sql.Tx) error { return s.thawOrders(ctx, tx, &thaw, ids) })
		thaw.After, thaw.Moved = after, true
	case thaw.Moved: // the next pass proves that none is left
		thaw.After, thaw.Moved = sale.DuePlace{}, false
	default:
		err = s.endThaw(ctx, &thaw)
		thaw.Done = true
	}
	if err != nil {
		return sale.Thaw{}, fmt.Errorf("thaw %d orders of sale %s: %w", len(ids), thaw.Sale, err)
	}
	faults.Point("store.thaw-continued")
	return thaw, nil
}

// toThaw searches without a lock.
func (s *Store) toThaw(ctx context.Context, thaw *sale.Thaw) (ids []sale.OrderID, after sale.DuePlace, err error) {
	args := append(placeArgs(thaw.After), thaw.Sale, thaw.Number, moment{thaw.At}, maxThawed)
	err = each(ctx, s.db, fmt.Sprintf(sqlToThaw, s.dialect.byDue, s.dialect.afterDue), args, func(rows scanner) error {
		var due moment
		err := rows.Scan(&after.Order, &due)
		after.DueAt = due.Time
		ids = append(ids, after.Order)
		return err
	})
	return ids, after, err
}

const (
	sqlLockThawing = "SELECT order_id, pay_by, %s FROM orders%s WHERE order_id IN ("
	ofThaw         = ") AND status = 'confirmed' AND pay_by IS NOT NULL AND thaw_no < ? AND created_at < ? ORDER BY order_id"

	sqlMovePayBy = "UPDATE orders%s SET first_pay_by = COALESCE(first_pay_by, pay_by), pay_by = %s, due_at = %s, thaw_no = ?, " +
		"updated_at = CASE WHEN created_at > ? THEN created_at ELSE ? END WHERE order_id IN ("
)

// thawOrders locks those of the orders that the thaw has not moved, moves them and writes their events.
func (s *Store) thawOrders(ctx context.Context, tx *sql.Tx, thaw *sale.Thaw, ids []sale.OrderID) error {
	var moved []extended
	var nowMS int64
	head := fmt.Sprintf(sqlLockThawing, s.dialect.nowMS, s.dialect.forced)
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), maxIDs) {
		args := append(idArgs(chunk), thaw.Number, moment{thaw.At})
		query := head + placeholders(len(chunk)) + ofThaw + s.dialect.lock
		err := each(ctx, tx, query, args, func(rows scanner) error {
			var id sale.OrderID
			var payBy moment
			err := rows.Scan(&id, &payBy, &nowMS)
			moved = append(moved, extended{id, payBy.UnixMilli() + thaw.Shift.Milliseconds()})
			return err
		})
		if err != nil {
			return err
		}
	}
	later := s.dialect.later
	move := fmt.Sprintf(sqlMovePayBy, s.dialect.forced, later("pay_by"), later("due_at"))
	shift, now := s.dialect.shift(thaw.Shift), datetime(nowMS)
	for chunk := range slices.Chunk(moved, maxIDs) {
		args := []any{shift, shift, thaw.Number, now, now}
		for _, e := range chunk {
			args = append(args, int64(e.order))
		}
		if err := changeExactly(ctx, tx, len(chunk), "order rows", move+placeholders(len(chunk))+")", args); err != nil {
			return err
		}
	}
	err := writeExtensions(ctx, tx, nowMS, moved)
	faults.Point("store.thaw-page-written")
	return err
}

func idArgs(ids []sale.OrderID) []any {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = int64(id)
	}
	return args
}

const sqlThaws = "SELECT t.sale_id, t.thaw_no, t.at_ms, t.shift_ms FROM sales s JOIN thaws t ON t.sale_id = s.sale_id AND " +
	"t.thaw_no = s.thaw_no WHERE s.holds_frozen_since IS NOT NULL AND s.thaw_at IS NOT NULL AND %s - t.at_ms >= ? " +
	"ORDER BY t.sale_id"

// Thaws returns the thaws that are under way and began at least a time ago, by the database's clock: the request that began
// them may have ended.
func (s *Store) Thaws(ctx context.Context, began time.Duration) ([]sale.Thaw, error) {
	var under []sale.Thaw
	err := each(ctx, s.db, fmt.Sprintf(sqlThaws, s.dialect.nowMS), []any{began.Milliseconds()}, func(rows scanner) error {
		var id string
		var number, atMS, shiftMS int64
		err := rows.Scan(&id, &number, &atMS, &shiftMS)
		under = append(under, thawOf(id, number, atMS, shiftMS))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for thaws: %w", err)
	}
	return under, nil
}

const sqlThawsOf = "SELECT sale_id, at_ms, shift_ms FROM thaws WHERE sale_id IN ("

// readThaws reads the thaws of the sales of which a batch was made before the last one. Most of the time there is none, which
// the bucket rows say.
func (r *reading) readThaws(ctx context.Context, tx *sql.Tx, batches []*sale.Batch) error {
	var sales []any
	for _, b := range batches {
		if b.CreatedMS < r.Buckets[b.Bucket].ThawedMS && !slices.Contains(sales, any(b.Sale)) {
			sales = append(sales, b.Sale)
		}
	}
	for chunk := range slices.Chunk(sales, maxIDs) {
		err := each(ctx, tx, sqlThawsOf+placeholders(len(chunk))+")", chunk, func(rows scanner) error {
			var id string
			var t ledger.Thaw
			err := rows.Scan(&id, &t.AtMS, &t.ShiftMS)
			if r.Thaws == nil {
				r.Thaws = map[string][]ledger.Thaw{}
			}
			r.Thaws[id] = append(r.Thaws[id], t)
			return err
		})
		if err != nil {
			return fmt.Errorf("read thaws: %w", err)
		}
	}
	return nil
}
