package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"

	"flashsale/faults"
	"flashsale/sale"
)

// maxLetterBytes bounds the records of a page of dead letters: a record may have as many bytes as a broker takes.
const maxLetterBytes = 8 << 20

const (
	sqlInsertDeadLetter = "INSERT INTO dead_letters (dead_letter_id, reason, detail, state, partition_id, record_offset, " +
		"record) VALUES (?, ?, ?, 'waiting', ?, ?, ?)"
	sqlInsertDeadOrders = "INSERT INTO dead_letter_orders (dead_letter_id, place, order_id, sale_id, buyer_id, order_lines, " +
		"created_ms) VALUES "
	sqlLetterSizes = "SELECT state, partition_id, record_offset, dead_letter_id, LENGTH(record) FROM dead_letters WHERE "
	sqlDeadLetters = "SELECT dead_letter_id, reason, detail, state, partition_id, record_offset, record FROM dead_letters WHERE "
	sqlDecide      = "UPDATE dead_letters SET state = ? WHERE dead_letter_id = ? AND state = 'waiting'"
	sqlForget      = "DELETE FROM dead_letter_orders WHERE dead_letter_id = ?"
)

// AddDeadLetter stores a record that cannot settle. Its orders are then queued with reason dead_letter. A second call with the
// same record changes nothing. If another record has the same id, as after the topic was recreated, AddDeadLetter appends a
// hash of the record's bytes to the id.
func (s *Store) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, err := s.readDeadLetter(ctx, tx, letter.ID, "")
		if err == nil && string(present.Raw) != string(letter.Raw) {
			letter.ID = idWithHash(&letter)
			_, err = s.readDeadLetter(ctx, tx, letter.ID, "")
		}
		if err == nil || !errors.Is(err, sale.ErrNotFound) {
			return err
		}
		err = insertDeadLetter(ctx, tx, &letter)
		if s.dialect.fault(err) == faultDuplicate {
			return errors.Join(errStartOver, err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("add dead letter %s: %w", letter.ID, err)
	}
	faults.Point("store.dead-letter-added")
	return nil
}

func idWithHash(letter *sale.DeadLetter) string {
	h := fnv.New64a()
	_, _ = h.Write(letter.Raw) // hash.Hash documents that Write never fails
	return fmt.Sprintf("%d-%d-%016x", letter.Partition, letter.Offset, h.Sum64())
}

func insertDeadLetter(ctx context.Context, tx *sql.Tx, letter *sale.DeadLetter) error {
	raw := letter.Raw
	if raw == nil {
		raw = []byte{} // a record without a value: nil would be NULL
	}
	_, err := tx.ExecContext(ctx, sqlInsertDeadLetter, letter.ID, letter.Reason, cut(letter.Detail, 1000), letter.Partition,
		letter.Offset, raw)
	if err != nil {
		return err
	}
	record, err := sale.DecodeRecord(letter.Raw)
	if err != nil || record.Batch == nil {
		return nil //nolint:nilerr // the letter is stored, but the orders of a record that cannot be decoded are unknown
	}
	place := 0
	return insert(ctx, tx, sqlInsertDeadOrders, "(?,?,?,?,?,?,?)", record.Batch.Orders,
		func(args []any, o sale.RecordOrder) []any {
			b := record.Batch
			place++
			return append(args, letter.ID, place, int64(o.OrderID), b.Sale, o.Buyer, string(sale.AppendLines(nil, o.Lines)),
				b.CreatedMS)
		})
}

const (
	letterAfter = "(state, partition_id, record_offset, dead_letter_id) > (?, ?, ?, ?)"
	letterUpTo  = " AND (state, partition_id, record_offset, dead_letter_id) <= (?, ?, ?, ?)"
	letterOrder = " ORDER BY state, partition_id, record_offset, dead_letter_id"
)

// DeadLetters returns a page of the dead letters, in the order of state, partition, offset and id. A page ends early when its
// records are large.
func (s *Store) DeadLetters(ctx context.Context, q *sale.LetterQuery) (page sale.LetterPage, err error) {
	where, args := "1 = 1", []any{}
	if q.After != nil {
		where, args = letterAfter, placeOf(q.After)
	}
	if q.State != "" {
		where, args = where+" AND state = ?", append(args, string(q.State))
	}
	last, more, err := s.letterPage(ctx, where, args, q.Limit)
	if err == nil && last != nil {
		query := sqlDeadLetters + where + letterUpTo + letterOrder
		err = each(ctx, s.db, query, append(args, placeOf(last)...), func(row scanner) error {
			letter, err := scanDeadLetter(row)
			page.Letters = append(page.Letters, letter)
			return err
		})
	}
	if err != nil {
		return sale.LetterPage{}, fmt.Errorf("read dead letters: %w", err)
	}
	if more {
		page.Next = last
	}
	return page, nil
}

func placeOf(p *sale.LetterPosition) []any {
	return []any{string(p.State), p.Partition, p.Offset, p.ID}
}

// letterPage returns the last letter of a page, nil where there is none, and whether more follow. It has at least one letter.
func (s *Store) letterPage(ctx context.Context, where string, args []any, limit int) (last *sale.LetterPosition, more bool,
	err error) {
	var places []sale.LetterPosition
	var sizes []int64
	query := sqlLetterSizes + where + letterOrder + " LIMIT ?"
	err = each(ctx, s.db, query, append(append([]any{}, args...), limit+1), func(row scanner) error {
		var p sale.LetterPosition
		var size int64
		err := row.Scan(&p.State, &p.Partition, &p.Offset, &p.ID, &size)
		places, sizes = append(places, p), append(sizes, size)
		return err
	})
	var bytes int64
	for i := range places {
		if bytes += sizes[i]; i == limit || i > 0 && bytes > s.letterBytes {
			return last, true, err
		}
		last = &places[i]
	}
	return last, false, err
}

// DeadLetter returns a dead letter in any state, or an error that wraps sale.ErrNotFound.
func (s *Store) DeadLetter(ctx context.Context, id string) (sale.DeadLetter, error) {
	letter, err := s.readDeadLetter(ctx, s.db, id, "")
	if err != nil {
		return sale.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	return letter, nil
}

func (s *Store) readDeadLetter(ctx context.Context, q querier, id, lock string) (sale.DeadLetter, error) {
	letter, err := scanDeadLetter(q.QueryRowContext(ctx, sqlDeadLetters+"dead_letter_id = ?"+lock, id))
	if isNoRows(err) {
		return sale.DeadLetter{}, sale.ErrNotFound
	}
	return letter, err
}

func scanDeadLetter(row scanner) (sale.DeadLetter, error) {
	var l sale.DeadLetter
	if err := row.Scan(&l.ID, &l.Reason, &l.Detail, &l.State, &l.Partition, &l.Offset, &l.Raw); err != nil {
		return sale.DeadLetter{}, err
	}
	if record, err := sale.DecodeRecord(l.Raw); err == nil && record.Batch != nil { // otherwise Batch is nil, as documented
		l.Batch, l.Orders = record.Batch, record.Batch.Orders
	}
	return l, nil
}

// MarkReplayed sets a waiting dead letter to replayed after it has settled. A letter in another state keeps it.
func (s *Store) MarkReplayed(ctx context.Context, id string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		letter, err := s.readDeadLetter(ctx, tx, id, s.dialect.lock)
		if err != nil || letter.State != sale.DeadLetterWaiting {
			return err
		}
		return s.decideDeadLetter(ctx, tx, &letter, sale.VerbReplay, sale.DeadLetterReplayed)
	})
	if err != nil {
		return fmt.Errorf("mark dead letter %s replayed: %w", id, err)
	}
	faults.Point("store.dead-letter-replayed")
	return nil
}

// decideDeadLetter ends the waiting of a letter that is locked.
func (s *Store) decideDeadLetter(
	ctx context.Context, tx *sql.Tx, letter *sale.DeadLetter, verb string, state sale.DeadLetterState,
) error {
	if _, err := tx.ExecContext(ctx, sqlDecide, string(state), letter.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, sqlForget, letter.ID); err != nil {
		return err
	}
	return s.note(ctx, tx, sale.LetterChange(letter, verb, state))
}
