package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/sale"
)

// RefuseDeadLetter ends the orders of a waiting dead letter as refused, with the marker of their batch, so that neither a
// replay nor a redelivery can settle them. When the batch belongs to the bucket's present epoch the bucket is closed: the
// rebuild that follows gives the units and the buyers' allowances back; in an older epoch the last rebuild has done so.
// Orders that have a row keep it. A letter whose batch has settled meanwhile becomes replayed; one that was decided before
// stays as it is. A record that cannot be decoded has no orders to end and is only marked.
func (s *Store) RefuseDeadLetter(ctx context.Context, id string) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		letter, err := s.readDeadLetter(ctx, tx, id, s.dialect.lock)
		if err != nil || letter.State != sale.DeadLetterWaiting {
			return err
		}
		state := sale.DeadLetterRefused
		if letter.Batch != nil {
			settled, err := s.refuseBatch(ctx, tx, letter.Batch)
			if err != nil {
				return err
			}
			if settled {
				state = sale.DeadLetterReplayed
			}
		}
		return decideDeadLetter(ctx, tx, id, state)
	})
	if err != nil {
		return fmt.Errorf("refuse dead letter %s: %w", id, err)
	}
	return nil
}

// refuseBatch reports true, and does nothing, when the batch has been settled.
func (s *Store) refuseBatch(ctx context.Context, tx *sql.Tx, batch *sale.Batch) (settled bool, err error) {
	stock, err := s.lockStock(ctx, tx, []sale.Bucket{batch.Bucket})
	if err != nil {
		return false, err
	}
	if stock[batch.Bucket] == nil { // an unknown bucket: there is no stock to give back and no price to write
		now := ""
		if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now); err != nil {
			return false, err
		}
		unknown := &stockRow{readAt: now}
		unknown.BucketRow = sale.BucketRow{Bucket: batch.Bucket, Epoch: -1, State: sale.BucketClosed}
		stock[batch.Bucket] = unknown
	}
	created := min(max(batch.CreatedMS, minMomentMS), maxMomentMS) // it may be what the record could not settle for
	one := []delivered{{batch, 0, created}}
	books := s.newLedger(stock, true)
	if err := books.readClosely(ctx, tx, one); err != nil {
		return false, err
	}
	if books.settled(batch) {
		return true, nil
	}
	decided := newPlan(books)
	decided.refuseAll(&one[0])
	err = s.writePlan(ctx, tx, decided)
	if s.dialect.fault(err) == faultDuplicate {
		err = errors.Join(errStartOver, err)
	}
	return false, err
}

// refuseAll plans to refuse every order of a batch that has no row yet.
func (p *plan) refuseAll(b *delivered) {
	row := p.books.stock[b.Bucket]
	p.mark(b.Batch, p.books.remember(b.Batch))
	shared := columnsOf(b, row)
	for i := range b.Orders {
		if o := &b.Orders[i]; !p.books.orders[o.OrderID] {
			p.refuse(orderRow{RecordOrder: o, shared: shared}, sale.ReasonDeadLetter)
		}
	}
	if b.Epoch == row.Epoch {
		p.move(row).units += b.Units()
		p.closing[row.Bucket] = "a dead letter was refused"
	}
}
