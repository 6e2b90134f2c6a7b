package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertOutbox = "INSERT INTO outbox (sale_id, sku, bucket, number, epoch, kind, units, body) VALUES "
	outboxRow       = "(?,?,?,?,?,?,?,?)"

	sqlOutboxHeads = "SELECT sale_id, sku, bucket, MIN(number) FROM outbox GROUP BY sale_id, sku, bucket"
	sqlOutboxUnits = "SELECT sale_id, sku, bucket, number, units FROM outbox WHERE "
	sqlOutbox      = "SELECT sale_id, sku, bucket, number, epoch, kind, units, body FROM outbox WHERE "
	upTo           = "(sale_id = ? AND sku = ? AND bucket = ? AND number <= ?)"
)

// pageUnits bounds the units, and thereby the orders, of one bucket's rows in an answer, unless the first row alone has more.
const pageUnits = 4 * ledger.MaxReleased

func outboxArgs(args []any, r sale.OutboxRow) []any {
	return append(args, r.Sale, r.SKU, r.Bucket.Number, r.Number, r.Epoch, string(r.Kind), r.Units, outboxBody(r.Orders))
}

// outboxBody writes one order per line: "id quantity buyer".
func outboxBody(orders []sale.ReleasedOrder) string {
	var b strings.Builder
	for i := range orders {
		fmt.Fprintf(&b, "%d %d %s\n", orders[i].OrderID, orders[i].Quantity, orders[i].Buyer)
	}
	return b.String()
}

func ordersOfBody(body string) ([]sale.ReleasedOrder, error) {
	orders := make([]sale.ReleasedOrder, 0, strings.Count(body, "\n"))
	for line := range strings.Lines(body) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %.80q has %d fields", line, len(fields))
		}
		id, err := sale.ParseOrderID(fields[0])
		if err != nil {
			return nil, fmt.Errorf("line %.80q: %w", line, err)
		}
		quantity, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %.80q: %w", line, err)
		}
		orders = append(orders, sale.ReleasedOrder{OrderID: id, Quantity: quantity, Buyer: fields[2]})
	}
	return orders, nil
}

// Outbox returns rows that Redis has not applied yet, sorted by bucket and number: the first ones of every bucket, so that an
// unreachable bucket does not block another, and at most maxRows in all. If more buckets have rows, it picks some at random.
func (s *Store) Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error) {
	heads, err := s.outboxHeads(ctx)
	if err == nil && len(heads) > maxRows {
		rand.Shuffle(len(heads), func(i, k int) { heads[i], heads[k] = heads[k], heads[i] })
		heads = heads[:max(maxRows, 0)]
	}
	var rows []sale.OutboxRow
	for chunk := range slices.Chunk(heads, maxTerms) {
		if err == nil {
			err = s.bound(ctx, chunk, int64(maxRows/len(heads)))
		}
		if err == nil {
			rows, err = s.readOutbox(ctx, rows, chunk)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	slices.SortFunc(rows, func(a, b sale.OutboxRow) int {
		return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.Number, b.Number))
	})
	return rows, nil
}

// outboxHead is a bucket with outbox rows: its first number, and after bound the last one to read.
type outboxHead struct {
	sale.Bucket
	number int64
}

func (s *Store) outboxHeads(ctx context.Context) (heads []outboxHead, err error) {
	err = each(ctx, s.db, sqlOutboxHeads, nil, func(rows scanner) error {
		var h outboxHead
		err := rows.Scan(&h.Sale, &h.SKU, &h.Bucket.Number, &h.number)
		heads = append(heads, h)
		return err
	})
	return heads, err
}

// bound sets each head's number to the last row to read: at most share rows and pageUnits units a bucket.
func (s *Store) bound(ctx context.Context, heads []outboxHead, share int64) error {
	byBucket := make(map[sale.Bucket]*outboxHead, len(heads))
	units := make(map[sale.Bucket]int64, len(heads))
	var args []any
	for i := range heads {
		h := &heads[i]
		byBucket[h.Bucket] = h
		args = append(args, h.Sale, h.SKU, h.Bucket.Number, h.number+max(share, 1)-1)
	}
	query := sqlOutboxUnits + repeated("", upTo, " OR ", len(heads), " ORDER BY sale_id, sku, bucket, number")
	return each(ctx, s.db, query, args, func(rows scanner) error {
		var row outboxHead
		var more int64
		err := rows.Scan(&row.Sale, &row.SKU, &row.Bucket.Number, &row.number, &more)
		units[row.Bucket] += more
		if head := byBucket[row.Bucket]; head != nil && (units[row.Bucket] <= pageUnits || units[row.Bucket] == more) {
			head.number = max(head.number, row.number)
		}
		return err
	})
}

func (s *Store) readOutbox(ctx context.Context, found []sale.OutboxRow, heads []outboxHead) ([]sale.OutboxRow, error) {
	var args []any
	for _, h := range heads {
		args = append(args, h.Sale, h.SKU, h.Bucket.Number, h.number)
	}
	err := each(ctx, s.db, sqlOutbox+repeated("", upTo, " OR ", len(heads), ""), args, func(rows scanner) error {
		var r sale.OutboxRow
		var body string
		err := rows.Scan(&r.Sale, &r.SKU, &r.Bucket.Number, &r.Number, &r.Epoch, &r.Kind, &r.Units, &body)
		if err != nil {
			return err
		}
		if r.Kind == sale.OutboxRelease || r.Kind == sale.OutboxRefusal {
			if r.Orders, err = ordersOfBody(body); err != nil {
				return fmt.Errorf("row %d of bucket %s: %w", r.Number, r.Bucket, err)
			}
		}
		found = append(found, r)
		return nil
	})
	return found, err
}
