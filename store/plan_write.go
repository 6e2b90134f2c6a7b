package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertMarkers = "INSERT INTO batches (sale_id, bucket, epoch, sequence, batch_id) VALUES "
	sqlInsertForks   = "INSERT INTO forks (sale_id, bucket, epoch, sequence, batch_id) VALUES "
	markRow          = "(?,?,?,?,?)"
)

// writePlan writes a plan except what needs the counter of the catalogue, the last lock of a transaction: the closing of
// buckets, and what takes have removed from the items. It writes markers first, so that a duplicate fails before the other work.
func (s *Store) writePlan(ctx context.Context, tx *sql.Tx, nowMS int64, p *ledger.Plan) error {
	byID := func(a, b ledger.Order) int { return cmp.Compare(a.OrderID, b.OrderID) }
	slices.SortFunc(p.Confirmed, byID)
	slices.SortFunc(p.Refused, byID)
	paying := func() error { _, err := s.payRemembered(ctx, tx, nowMS, written(p)); return err }
	writes := []func() error{
		func() error { return insert(ctx, tx, sqlInsertMarkers, markRow, p.Markers, markArgs) },
		func() error { return insert(ctx, tx, sqlInsertForks, markRow, p.Forks, markArgs) },
		func() error { return insertOrders(ctx, tx, sale.StatusConfirmed, p.Confirmed) },
		func() error { return insertOrders(ctx, tx, sale.StatusRefused, p.Refused) },
		func() error { return s.leaveOrders(ctx, tx, nowMS, p) },
		func() error { return insert(ctx, tx, sqlInsertOutbox, outboxRow, p.Outbox, outboxArgs) },
		func() error { return s.forgetApplied(ctx, tx, p.Done) },
		func() error { return writeEvents(ctx, tx, nowMS, p.Statuses()) },
		paying,
		func() error { return s.moveBuckets(ctx, tx, p.Moves) },
		func() error { return s.moveStock(ctx, tx, p.Gains) },
	}
	for _, write := range writes {
		if err := write(); err != nil {
			return err
		}
	}
	s.statuses.notePlan(tx, p)
	return nil
}

// written returns the orders whose rows a plan writes.
func written(p *ledger.Plan) []sale.OrderID {
	ids := make([]sale.OrderID, 0, len(p.Confirmed)+len(p.Refused))
	for _, orders := range [][]ledger.Order{p.Confirmed, p.Refused} {
		for i := range orders {
			ids = append(ids, orders[i].OrderID)
		}
	}
	return ids
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

func markArgs(args []any, m ledger.Mark) []any {
	return append(args, m.Sale, m.Number, m.Epoch, m.Sequence, int64(m.ID))
}
