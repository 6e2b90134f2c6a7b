package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"flashsale/sale"
)

const (
	sqlInsertMarkers = "INSERT INTO batches (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	sqlInsertForks   = "INSERT INTO forks (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	markRow          = "(?,?,?,?,?,?)"

	sqlInsertOrders = "INSERT INTO orders (order_id, sale_id, sku, buyer_id, quantity, status, reason, unit_price_cents, " +
		"currency, created_at, updated_at, pay_by, bucket, idempotency_key, slot) VALUES "
	confirmedRow = "(?,?,?,?,?,'confirmed','',?,?,?,?,?,?,?,?)"
	refusedRow   = "(?,?,?,?,?,'refused',?,?,?,?,?,?,?,?,NULL)"

	sqlInsertAllowances = "INSERT INTO allowances (sale_id, sku, buyer_id, slot, order_id) VALUES "
	allowanceRow        = "(?,?,?,?,?)"
)

// writePlan writes what was decided. Markers come first: where one stands already nothing else was worth the effort.
func (s *Store) writePlan(ctx context.Context, tx *sql.Tx, p *plan) error {
	byID := func(a, b orderRow) int { return cmp.Compare(a.OrderID, b.OrderID) }
	slices.SortFunc(p.confirmed, byID)
	slices.SortFunc(p.refused, byID)
	writes := []func() error{
		func() error { return insert(ctx, tx, sqlInsertMarkers, markRow, p.markers, markArgs) },
		func() error { return insert(ctx, tx, sqlInsertForks, markRow, p.forks, markArgs) },
		func() error { return insert(ctx, tx, sqlInsertOrders, confirmedRow, p.confirmed, confirmedArgs) },
		func() error { return insert(ctx, tx, sqlInsertOrders, refusedRow, p.refused, refusedArgs) },
		func() error { return insert(ctx, tx, sqlInsertAllowances, allowanceRow, p.allowances, allowanceArgs) },
		func() error { return s.moveStock(ctx, tx, p.moves) },
		func() error { return s.closePlanned(ctx, tx, p.closing) },
	}
	for _, write := range writes {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// insert runs multi-row INSERTs.
func insert[R any](ctx context.Context, tx *sql.Tx, head, row string, rows []R, appendArgs func([]any, R) []any) error {
	for chunk := range slices.Chunk(rows, maxRows) {
		args := make([]any, 0, 16*len(chunk))
		for _, r := range chunk {
			args = appendArgs(args, r)
		}
		if _, err := tx.ExecContext(ctx, repeated(head, row, ",", len(chunk), ""), args...); err != nil {
			return err
		}
	}
	return nil
}

func markArgs(args []any, m mark) []any {
	return append(args, m.Sale, m.SKU, m.Number, m.epoch, m.sequence, int64(m.batch))
}

func confirmedArgs(args []any, o orderRow) []any {
	c := o.shared
	return append(args, int64(o.OrderID), c.sale, c.sku, o.Buyer, int64(o.Quantity), c.price, c.currency, c.createdAt,
		c.updatedAt, c.payBy, c.bucket, o.Key, o.slot)
}

func refusedArgs(args []any, o orderRow) []any {
	c := o.shared
	return append(args, int64(o.OrderID), c.sale, c.sku, o.Buyer, int64(o.Quantity), string(o.reason), c.price, c.currency,
		c.createdAt, c.updatedAt, c.payBy, c.bucket, o.Key)
}

func allowanceArgs(args []any, a allowance) []any {
	return append(args, a.sale, a.sku, a.buyer, int64(a.slot), int64(a.order))
}

const (
	sqlMoveStock = "UPDATE stock%s SET settled = settled + ?, settled_epoch = settled_epoch + ? WHERE "
	guarded      = "(sale_id = ? AND sku = ? AND bucket = ? AND epoch = ? AND settled - released + ? <= loaded)"
)

// moveStock adds the units to the stock rows. The guard repeats what the plan has decided under the rows' locks: it is the
// last word against overselling, and a row that it does not match starts the transaction over. Rows that gain the same
// share a statement, so a sale of thousands of SKUs does not cost a statement each.
func (s *Store) moveStock(ctx context.Context, tx *sql.Tx, moves map[sale.Bucket]*move) error {
	alike := map[[2]int64][]sale.Bucket{}
	for bucket, m := range moves {
		gain := [2]int64{m.settled, m.units}
		alike[gain] = append(alike[gain], bucket)
	}
	for gain, buckets := range alike {
		slices.SortFunc(buckets, compareBuckets)
		for chunk := range slices.Chunk(buckets, maxTerms) {
			args := []any{gain[0], gain[1]}
			for _, b := range chunk {
				args = append(args, b.Sale, b.SKU, b.Number, moves[b].epoch, gain[0])
			}
			statement := repeated(fmt.Sprintf(sqlMoveStock, s.dialect.forced), guarded, " OR ", len(chunk), "")
			if err := changeExactly(ctx, tx, len(chunk), statement, args); err != nil {
				return err
			}
		}
	}
	return nil
}

func changeExactly(ctx context.Context, tx *sql.Tx, wanted int, statement string, args []any) error {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed != int64(wanted) {
		err = fmt.Errorf("%w: %d of %d stock rows", errStartOver, changed, wanted)
	}
	return err
}

// closePlanned closes buckets, those for the same reason together.
func (s *Store) closePlanned(ctx context.Context, tx *sql.Tx, closing map[sale.Bucket]string) error {
	byReason := map[string][]sale.Bucket{}
	for bucket, reason := range closing {
		byReason[reason] = append(byReason[reason], bucket)
	}
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		err := s.stampStock(ctx, tx, "state = 'closed', closed_reason = ?", []any{reason}, byReason[reason])
		if err != nil {
			return err
		}
	}
	return nil
}
