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

const upToOfEpoch = "(sale_id = ? AND sku = ? AND bucket = ? AND number <= ? AND epoch = ?)"

// OutboxDone forgets outbox rows that Redis has applied and marks the sequences of the writes that brought them, so that a
// batch of another life of Redis at the same place is found to be a fork; where such a batch has settled already the
// bucket is closed. What belongs to an epoch that is over was absorbed and is left out. It may be repeated.
func (s *Store) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	sorted := slices.SortedFunc(slices.Values(applied), func(a, b sale.Applied) int {
		return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.Number, b.Number))
	})
	for chunk := range slices.Chunk(sorted, maxTerms) {
		err := s.transact(ctx, func(tx *sql.Tx) error { return s.outboxDone(ctx, tx, chunk) })
		if err != nil {
			return fmt.Errorf("note %d applied outbox rows: %w", len(chunk), err)
		}
		faults.Point("store.outbox-done")
	}
	return nil
}

func (s *Store) outboxDone(ctx context.Context, tx *sql.Tx, applied []sale.Applied) error {
	buckets := make([]sale.Bucket, len(applied))
	places := make([]ledger.Place, len(applied))
	for i := range applied {
		buckets[i], places[i] = applied[i].Bucket, ledger.MarkOfApplied(&applied[i]).Place
	}
	stock, nowMS, err := s.lockStock(ctx, tx, buckets)
	if err != nil {
		return err
	}
	read := &reading{ledger.NewState(stock, nowMS, true), s.dialect.forced}
	if err := read.readMarkers(ctx, tx, places); err != nil {
		return err
	}
	decided := ledger.NewPlan(read.State)
	for _, a := range applied {
		decided.Applied(a)
	}
	err = s.writePlan(ctx, tx, nowMS, decided)
	if s.dialect.fault(err) == faultDuplicate {
		return errors.Join(errStartOver, err)
	}
	if err == nil {
		err = s.closePlanned(ctx, tx, decided.Closing)
	}
	faults.Point("store.outbox-done-written")
	return err
}

// forgetApplied deletes outbox rows that Redis has applied.
func (s *Store) forgetApplied(ctx context.Context, tx *sql.Tx, applied []sale.Applied) error {
	if len(applied) == 0 {
		return nil
	}
	var args []any
	for _, a := range applied {
		args = append(args, a.Sale, a.SKU, a.Bucket.Number, a.Number, a.Epoch)
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
