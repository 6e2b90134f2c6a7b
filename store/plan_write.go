package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertMarkers = "INSERT INTO batches (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	sqlInsertForks   = "INSERT INTO forks (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	markRow          = "(?,?,?,?,?,?)"

	sqlInsertOrders = "INSERT INTO orders (order_id, buyer_id, quantity, idempotency_key, reason, slot, status, sale_id, sku, " +
		"bucket, unit_price_cents, currency, created_at, updated_at, pay_by, due_at) VALUES "

	sqlInsertAllowances = "INSERT INTO allowances (sale_id, sku, buyer_id, slot, order_id) VALUES "
	allowanceRow        = "(?,?,?,?,?)"
)

// writePlan writes a plan except the closing of buckets, which needs the counter of the catalogue, the last lock of a
// transaction. It writes markers first, so that a duplicate fails before the other work.
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
		func() error { return insert(ctx, tx, sqlInsertAllowances, allowanceRow, p.Allowances, allowanceArgs) },
		func() error { return s.leaveOrders(ctx, tx, nowMS, p) },
		func() error { return insert(ctx, tx, sqlInsertOutbox, outboxRow, p.Outbox, outboxArgs) },
		func() error { return s.forgetApplied(ctx, tx, p.Done) },
		func() error { return writeEvents(ctx, tx, nowMS, p.Statuses()) },
		paying,
		func() error { return s.moveStock(ctx, tx, p.Moves) },
	}
	for _, write := range writes {
		if err := write(); err != nil {
			return err
		}
	}
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
	return append(args, m.Sale, m.SKU, m.Number, m.Epoch, m.Sequence, int64(m.ID))
}

// insertOrders writes new orders with a status. Their statements contain the values, because an argument for each would cost
// this process more than all other work of settling a row.
func insertOrders(ctx context.Context, tx *sql.Tx, status sale.OrderStatus, orders []ledger.Order) error {
	for chunk := range slices.Chunk(orders, maxRows) {
		if _, err := tx.ExecContext(ctx, ordersStatement(status, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// orderBytes is the usual length of an order row.
const orderBytes = 320

func ordersStatement(status sale.OrderStatus, orders []ledger.Order) string {
	shared := map[*ledger.Terms][]byte{}
	b := append(make([]byte, 0, len(sqlInsertOrders)+orderBytes*len(orders)), sqlInsertOrders...)
	var terms *ledger.Terms
	var end []byte
	for i := range orders {
		o := &orders[i]
		if o.Terms != terms {
			terms, end = o.Terms, shared[o.Terms]
			if end == nil {
				end = termsText(status, terms)
				shared[terms] = end
			}
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '('), int64(o.OrderID), 10)
		b = appendText(append(b, ','), o.Buyer)
		b = strconv.AppendInt(append(b, ','), int64(o.Quantity), 10)
		b = appendText(append(b, ','), o.Key)
		b = appendText(append(b, ','), string(o.Reason))
		if o.Slotted {
			b = append(b, ",0"...)
		} else {
			b = append(b, ",NULL"...)
		}
		b = append(b, end...)
	}
	return string(b)
}

// termsText returns the end of a row, which all orders of a batch share.
func termsText(status sale.OrderStatus, t *ledger.Terms) []byte {
	b := appendText([]byte{','}, string(status))
	b = appendText(append(b, ','), t.Sale)
	b = appendText(append(b, ','), t.SKU)
	b = strconv.AppendInt(append(b, ','), int64(t.Number), 10)
	b = strconv.AppendInt(append(b, ','), t.PriceCents, 10)
	b = appendText(append(b, ','), t.Currency)
	b = appendText(append(b, ','), datetime(t.CreatedMS))
	b = appendText(append(b, ','), datetime(t.UpdatedMS))
	payBy := []byte(",NULL")
	if t.PayByMS >= 0 {
		payBy = appendText([]byte{','}, datetime(t.PayByMS))
	}
	b = append(b, payBy...)
	if status == sale.StatusConfirmed { // only a confirmed order has due_at
		b = append(b, payBy...)
	} else {
		b = append(b, ",NULL"...)
	}
	return append(b, ')')
}

func allowanceArgs(args []any, a ledger.Allowance) []any {
	return append(args, a.Sale, a.SKU, a.Buyer, int64(a.Slot), int64(a.OrderID))
}
