package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertOutbox = "INSERT INTO outbox (sale_id, bucket, number, epoch, kind, size, change_key, body) VALUES "
	outboxRow       = "(?,?,?,?,?,?,?,?)"

	outboxColumns  = "sale_id, bucket, number, epoch, kind, change_key, body"
	sqlOutbox      = "SELECT " + outboxColumns + " FROM outbox WHERE "
	sqlOutboxHeads = "SELECT sale_id, bucket, MIN(number) FROM outbox GROUP BY sale_id, bucket"
	sqlOutboxSizes = "SELECT sale_id, bucket, number, size FROM outbox WHERE "
	upTo           = "(sale_id = ? AND bucket = ? AND number <= ?)"
)

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
		err := rows.Scan(&h.Sale, &h.Bucket.Number, &h.number)
		heads = append(heads, h)
		return err
	})
	return heads, err
}

// bound sets each head's number to the last row to read: at most share rows and ledger.MaxPage lines a bucket.
func (s *Store) bound(ctx context.Context, heads []outboxHead, share int64) error {
	byBucket := make(map[sale.Bucket]*outboxHead, len(heads))
	lines := make(map[sale.Bucket]int64, len(heads))
	var args []any
	for i := range heads {
		h := &heads[i]
		byBucket[h.Bucket] = h
		args = append(args, h.Sale, h.Bucket.Number, h.number+max(share, 1)-1)
	}
	query := sqlOutboxSizes + repeated("", upTo, " OR ", len(heads), " ORDER BY sale_id, bucket, number")
	return each(ctx, s.db, query, args, func(rows scanner) error {
		var row outboxHead
		var more int64
		err := rows.Scan(&row.Sale, &row.Bucket.Number, &row.number, &more)
		lines[row.Bucket] += more
		if head := byBucket[row.Bucket]; head != nil && (lines[row.Bucket] <= ledger.MaxPage || lines[row.Bucket] == more) {
			head.number = max(head.number, row.number)
		}
		return err
	})
}

func (s *Store) readOutbox(ctx context.Context, found []sale.OutboxRow, heads []outboxHead) ([]sale.OutboxRow, error) {
	var args []any
	for _, h := range heads {
		args = append(args, h.Sale, h.Bucket.Number, h.number)
	}
	err := eachOutboxRow(ctx, s.db, repeated("", upTo, " OR ", len(heads), ""), args, func(r sale.OutboxRow) {
		found = append(found, r)
	})
	return found, err
}

// eachOutboxRow reads outbox rows by a condition.
func eachOutboxRow(ctx context.Context, q querier, where string, args []any, note func(sale.OutboxRow)) error {
	return each(ctx, q, sqlOutbox+where, args, func(rows scanner) error {
		var r sale.OutboxRow
		var body string
		err := rows.Scan(&r.Sale, &r.Bucket.Number, &r.Number, &r.Epoch, &r.Kind, &r.Change, &body)
		if err == nil {
			err = readBody(&r, body)
		}
		if err != nil {
			return fmt.Errorf("row %d of bucket %s: %w", r.Number, r.Bucket, err)
		}
		note(r)
		return nil
	})
}
