package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const (
	upToOfEpoch = "(sale_id = ? AND bucket = ? AND number <= ? AND epoch = ?)"

	// Forms of eachWhere.
	takesUpTo     = "(kind = 'take' AND sale_id = ? AND bucket = ? AND number <= ("
	takesOfBucket = "(kind = 'take' AND sale_id = ? AND bucket IN ("
	takesOfSale   = "(kind = 'take' AND sale_id IN ("
)

// OutboxDone deletes outbox rows that Redis has applied and marks the sequences of those writes: if Redis loses one and a
// batch takes the same sequence, settlement finds that batch as a fork. If such a batch has settled already, OutboxDone closes
// the bucket. What Redis has found of a take leaves the units of the bucket and of the item, and counts in its stock change. It
// skips rows of an epoch that is over, because a rebuild has absorbed them, and rows with a take of which applied does not
// say what Redis has found. It is repeatable.
func (s *Store) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	sorted := slices.SortedFunc(slices.Values(applied), func(a, b sale.Applied) int {
		return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.Number, b.Number))
	})
	for chunk := range slices.Chunk(sorted, maxTerms) {
		err := s.transact(ctx, func(tx *sql.Tx) error { return s.outboxDone(ctx, tx, chunk) })
		if err != nil {
			return fmt.Errorf("delete %d applied outbox rows: %w", len(chunk), err)
		}
		faults.Point("store.outbox-done")
	}
	return nil
}

func (s *Store) outboxDone(ctx context.Context, tx *sql.Tx, applied []sale.Applied) error {
	buckets := make([]sale.Bucket, len(applied))
	writes := make([]ledger.WriteID, len(applied))
	var numbers []rowsWanted
	for i := range applied {
		a := &applied[i]
		buckets[i], writes[i] = a.Bucket, ledger.MarkOfApplied(a).WriteID
		numbers = append(numbers, rowsWanted{[]any{a.Sale, a.Bucket.Number}, []any{a.Number}})
	}
	rows, nowMS, takes, err := s.lockTaking(ctx, tx, buckets, takesUpTo, numbers)
	if err != nil {
		return err
	}
	stock, err := s.readStock(ctx, tx, shelvesOfTakes(takes))
	if err != nil {
		return fmt.Errorf("read stock rows: %w", err)
	}
	read := &reading{ledger.NewState(rows, stock, nowMS, true), s.dialect}
	if err := read.readMarkers(ctx, tx, writes); err != nil {
		return err
	}
	decided := ledger.NewPlan(read.State)
	for _, a := range applied {
		decided.Applied(a, takes)
	}
	err = s.writePlan(ctx, tx, nowMS, decided)
	if s.dialect.fault(err) == faultDuplicate {
		return errors.Join(errStartOver, err)
	}
	if err == nil {
		err = s.takeBack(ctx, tx, decided.Took)
	}
	if err == nil {
		err = s.closePlanned(ctx, tx, decided.Closing)
	}
	faults.Point("store.outbox-done-written")
	return err
}

func shelvesOfTakes(takes []sale.OutboxRow) []sale.Shelf {
	var shelves []sale.Shelf
	for i := range takes {
		for _, line := range takes[i].Lines {
			shelves = append(shelves, sale.Shelf{Bucket: takes[i].Bucket, SKU: line.SKU})
		}
	}
	return shelves
}

// lockTaking locks the rows of buckets and returns them with the time of the database and the takes that are wanted, which are
// to be decided. A take that is decided changes items, which the row of its sale guards, so it locks the rows of such sales
// first. A take that was added between the two locks starts the transaction over.
func (s *Store) lockTaking(
	ctx context.Context, tx *sql.Tx, buckets []sale.Bucket, form string, all []rowsWanted,
) (rows map[sale.Bucket]*ledger.Row, nowMS int64, takes []sale.OutboxRow, err error) {
	before, err := readTakes(ctx, tx, form, all)
	if err != nil {
		return nil, 0, nil, err
	}
	sales := salesOf(before)
	for _, id := range sales {
		if err := tx.QueryRowContext(ctx, sqlLockSale+s.dialect.lock, id).Scan(new(int64)); err != nil && !isNoRows(err) {
			return nil, 0, nil, fmt.Errorf("lock sale %s: %w", id, err)
		}
	}
	if rows, nowMS, err = s.lockBuckets(ctx, tx, buckets); err != nil {
		return nil, 0, nil, err
	}
	if takes, err = readTakes(ctx, tx, form, all); err != nil {
		return nil, 0, nil, err
	}
	for _, id := range salesOf(takes) {
		if !slices.Contains(sales, id) {
			return nil, 0, nil, fmt.Errorf("%w: units of %s are to be taken back", errStartOver, id)
		}
	}
	return rows, nowMS, takes, nil
}

// readTakes reads the takes that are wanted, those of a bucket in the order of their numbers.
func readTakes(ctx context.Context, q querier, form string, all []rowsWanted) (takes []sale.OutboxRow, err error) {
	err = eachWhere(form, all, func(where string, args []any) error {
		where += " ORDER BY sale_id, bucket, number"
		return eachOutboxRow(ctx, q, where, args, func(r sale.OutboxRow) { takes = append(takes, r) })
	})
	if err != nil {
		return nil, fmt.Errorf("read open takes: %w", err)
	}
	return takes, nil
}

// salesOf returns the sales of outbox rows, sorted.
func salesOf(rows []sale.OutboxRow) []string {
	sales := make([]string, len(rows))
	for i := range rows {
		sales[i] = rows[i].Sale
	}
	slices.Sort(sales)
	return slices.Compact(sales)
}

// forgetApplied deletes outbox rows that Redis has applied.
func (s *Store) forgetApplied(ctx context.Context, tx *sql.Tx, applied []sale.Applied) error {
	if len(applied) == 0 {
		return nil
	}
	var args []any
	for _, a := range applied {
		args = append(args, a.Sale, a.Bucket.Number, a.Number, a.Epoch)
	}
	_, err := tx.ExecContext(ctx, s.dialect.remove("outbox")+repeated("", upToOfEpoch, " OR ", len(applied), ""), args...)
	return err
}

// absorbOutbox deletes the outbox rows of buckets whose next epoch begins. Rule: outbox-absorbed.
func (s *Store) absorbOutbox(ctx context.Context, tx *sql.Tx, buckets []sale.Bucket) error {
	for chunk := range slices.Chunk(buckets, maxTerms) {
		statement := s.dialect.remove("outbox") + inKeys(len(chunk))
		if _, err := tx.ExecContext(ctx, statement, keyArgs(nil, chunk)...); err != nil {
			return fmt.Errorf("absorb the outbox: %w", err)
		}
	}
	return nil
}
