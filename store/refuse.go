package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// RefuseDeadLetter writes the orders of a waiting dead letter as refused, with the marker of their batch, so that neither a
// replay nor a redelivery can settle them. Redis has taken the units: if the batch belongs to the bucket's present epoch, the
// outbox gives back the units; in an older epoch the last rebuild has given them back. An order
// that has a row keeps it; Redis has then counted it twice, and a rebuild of the bucket gives the units back. The units of a
// transfer return to the giving bucket. A letter whose record has settled meanwhile becomes replayed. A letter that was decided
// before keeps its state. For a record that cannot be decoded only the state of the letter changes.
func (s *Store) RefuseDeadLetter(ctx context.Context, id string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		letter, err := s.readDeadLetter(ctx, tx, id, s.dialect.lock)
		if err != nil || letter.State != sale.DeadLetterWaiting {
			return err
		}
		state := sale.DeadLetterRefused
		var closing map[sale.Bucket]string
		record, undecodable := sale.DecodeRecord(letter.Raw)
		if undecodable == nil && (record.Batch != nil || record.Transfer != nil) {
			var settled bool
			if settled, closing, err = s.refuseRecord(ctx, tx, record); err != nil {
				return err
			}
			if settled {
				state = sale.DeadLetterReplayed
			}
		}
		if err := s.decideDeadLetter(ctx, tx, &letter, sale.VerbRefuse, state); err != nil {
			return err
		}
		err = s.closePlanned(ctx, tx, closing)
		faults.Point("store.refusal-written")
		return err
	})
	if err != nil {
		return fmt.Errorf("refuse dead letter %s: %w", id, err)
	}
	faults.Point("store.dead-letter-refused")
	return nil
}

// refuseRecord refuses a record and returns the buckets to close. It does nothing and returns true if the record has settled.
func (s *Store) refuseRecord(
	ctx context.Context, tx *sql.Tx, record sale.Record,
) (settled bool, closing map[sale.Bucket]string, err error) {
	records := []sale.Record{record}
	bucket := writesOf(records)[0].Bucket
	rows, nowMS, err := s.lockBuckets(ctx, tx, []sale.Bucket{bucket})
	if err != nil {
		return false, nil, err
	}
	if rows[bucket] == nil { // an unknown bucket: it has no stock to give back
		if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.nowMS).Scan(&nowMS); err != nil {
			return false, nil, err
		}
		unknown := &ledger.Row{}
		unknown.BucketRow = sale.BucketRow{Bucket: bucket, Epoch: -1, State: sale.BucketClosed}
		rows[bucket] = unknown
	}
	shelves := slices.DeleteFunc(ledger.Shelves(records), func(shelf sale.Shelf) bool { return shelf.Bucket != bucket })
	stock, err := s.readStock(ctx, tx, shelves)
	if err != nil {
		return false, nil, err
	}
	read := &reading{ledger.NewState(rows, stock, nowMS, true), s.dialect}
	work := &settling{records: records}
	if err := read.readClosely(ctx, tx, records, work.batches()); err != nil || settledBefore(read.State, record) {
		return err == nil, nil, err
	}
	decided := ledger.NewPlan(read.State)
	if record.Batch != nil {
		decided.Refuse(record.Batch)
	} else {
		decided.RefuseTransfer(record.Transfer)
	}
	err = s.writePlan(ctx, tx, nowMS, decided)
	if s.dialect.fault(err) == faultDuplicate {
		err = errors.Join(errStartOver, err)
	}
	return false, decided.Closing, err
}

func settledBefore(state *ledger.State, record sale.Record) bool {
	if record.Batch != nil {
		return state.SettledBatch(record.Batch)
	}
	return state.Settled(ledger.MarkOfTransfer(record.Transfer))
}
