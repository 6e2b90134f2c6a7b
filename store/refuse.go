package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// RefuseDeadLetter writes the orders of a waiting dead letter as refused, with the marker of their batch, so that neither a
// replay nor a redelivery can settle them. Redis has taken the units: if the batch belongs to the bucket's present epoch, the
// outbox gives back the units and the buyers' allowances; in an older epoch the last rebuild has given them back. An order
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
		if err := decideDeadLetter(ctx, tx, id, state); err != nil {
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
	bucket := writesOf([]sale.Record{record})[0].Bucket
	stock, nowMS, err := s.lockStock(ctx, tx, []sale.Bucket{bucket})
	if err != nil {
		return false, nil, err
	}
	if stock[bucket] == nil { // an unknown bucket: it has neither stock to give back nor a price
		if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.nowMS).Scan(&nowMS); err != nil {
			return false, nil, err
		}
		unknown := &ledger.Row{}
		unknown.BucketRow = sale.BucketRow{Bucket: bucket, Epoch: -1, State: sale.BucketClosed}
		stock[bucket] = unknown
	}
	read := &reading{ledger.NewState(stock, nowMS, true), s.dialect.forced}
	if err := read.readClosely(ctx, tx, []sale.Record{record}); err != nil || settledBefore(read.State, record) {
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
