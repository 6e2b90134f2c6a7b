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

// OutboxDone deletes outbox rows that Redis has applied and marks the sequences of those writes: if Redis loses one and a
// batch takes the same sequence, settlement finds that batch as a fork. If such a batch has settled already, OutboxDone closes
// the bucket. It skips rows of an epoch that is over, because a rebuild has absorbed them. It is repeatable.
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
	for i := range applied {
		buckets[i], writes[i] = applied[i].Bucket, ledger.MarkOfApplied(&applied[i]).WriteID
	}
	stock, nowMS, err := s.lockStock(ctx, tx, buckets)
	if err != nil {
		return err
	}
	read := &reading{ledger.NewState(stock, nowMS, true), s.dialect.forced}
	if err := read.readMarkers(ctx, tx, writes); err != nil {
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
