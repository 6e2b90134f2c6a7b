package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
)

const (
	sqlInsertMarkers = "INSERT INTO batches (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	sqlInsertForks   = "INSERT INTO forks (sale_id, sku, bucket, epoch, sequence, batch_id) VALUES "
	markRow          = "(?,?,?,?,?,?)"

	sqlInsertOrders = "INSERT INTO orders (order_id, sale_id, sku, buyer_id, quantity, status, reason, unit_price_cents, " +
		"currency, created_at, updated_at, pay_by, due_at, bucket, idempotency_key, slot) VALUES "
	confirmedRow = "(?,?,?,?,?,'confirmed','',?,?,?,?,?,?,?,?,?)"
	refusedRow   = "(?,?,?,?,?,'refused',?,?,?,?,?,?,NULL,?,?,NULL)"

	sqlInsertAllowances = "INSERT INTO allowances (sale_id, sku, buyer_id, slot, order_id) VALUES "
	allowanceRow        = "(?,?,?,?,?)"
)

// writePlan writes what was decided, all but the closing of buckets: that takes the counter of the catalogue, the last
// lock of a transaction. Markers come first: where one stands already nothing else was worth the effort.
func (s *Store) writePlan(ctx context.Context, tx *sql.Tx, nowMS int64, p *ledger.Plan) error {
	byID := func(a, b ledger.Order) int { return cmp.Compare(a.OrderID, b.OrderID) }
	slices.SortFunc(p.Confirmed, byID)
	slices.SortFunc(p.Refused, byID)
	if faults.Bug("missing-unique-key") {
		forgetSlots(p)
	}
	shared := boxes{}
	writes := []func() error{
		func() error { return insert(ctx, tx, sqlInsertMarkers, markRow, p.Markers, markArgs) },
		func() error { return insert(ctx, tx, sqlInsertForks, markRow, p.Forks, markArgs) },
		func() error { return insert(ctx, tx, sqlInsertOrders, confirmedRow, p.Confirmed, shared.confirmed) },
		func() error { return insert(ctx, tx, sqlInsertOrders, refusedRow, p.Refused, shared.refused) },
		func() error { return insert(ctx, tx, sqlInsertAllowances, allowanceRow, p.Allowances, allowanceArgs) },
		func() error { return s.leaveOrders(ctx, tx, nowMS, p) },
		func() error { return insert(ctx, tx, sqlInsertOutbox, outboxRow, p.Outbox, outboxArgs) },
		func() error { return s.forgetApplied(ctx, tx, p.Done) },
		func() error { return writeEvents(ctx, tx, nowMS, p.Statuses()) },
		func() error { return s.moveStock(ctx, tx, p.Moves) },
	}
	for _, write := range writes {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// forgetSlots is the seeded bug of books whose unique keys were never made.
func forgetSlots(p *ledger.Plan) {
	p.Allowances = nil
	for i := range p.Confirmed {
		p.Confirmed[i].Slotted = false
	}
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

// boxed is what all orders of a batch have in common, as arguments of a statement: boxed once, not once a row.
type boxed struct {
	sale, sku, bucket, price, currency, createdAt, updatedAt, payBy any
}

type boxes map[*ledger.Terms]*boxed

func (b boxes) of(t *ledger.Terms) *boxed {
	c := b[t]
	if c == nil {
		c = &boxed{
			sale: t.Sale, sku: t.SKU, bucket: int64(t.Number), price: t.PriceCents, currency: t.Currency,
			createdAt: datetime(t.CreatedMS), updatedAt: datetime(t.UpdatedMS),
		}
		if t.PayByMS >= 0 {
			c.payBy = datetime(t.PayByMS)
		}
		b[t] = c
	}
	return c
}

func (b boxes) confirmed(args []any, o ledger.Order) []any {
	c := b.of(o.Terms)
	var slot any
	if o.Slotted {
		slot = 0
	}
	return append(args, int64(o.OrderID), c.sale, c.sku, o.Buyer, int64(o.Quantity), c.price, c.currency, c.createdAt,
		c.updatedAt, c.payBy, c.payBy, c.bucket, o.Key, slot)
}

func (b boxes) refused(args []any, o ledger.Order) []any {
	c := b.of(o.Terms)
	return append(args, int64(o.OrderID), c.sale, c.sku, o.Buyer, int64(o.Quantity), string(o.Reason), c.price, c.currency,
		c.createdAt, c.updatedAt, c.payBy, c.bucket, o.Key)
}

func allowanceArgs(args []any, a ledger.Allowance) []any {
	return append(args, a.Sale, a.SKU, a.Buyer, int64(a.Slot), int64(a.OrderID))
}
