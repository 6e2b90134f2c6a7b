package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"flashsale/sale"
)

// errLookCloser ends a hasty settlement: something is not as in the ordinary case, so the rows have to be read first.
var errLookCloser = errors.New("the ordinary case does not apply")

// Settle writes deliveries into the books in one transaction: for each batch its marker, its orders and its units.
//
// It first runs hastily: it locks the stock rows, takes for granted that no marker, order or other purchase of the
// buyers is there, and lets the unique keys object. When they do, or a batch is late, a fork or beyond what is loaded,
// it rolls back and runs again with everything read first. Both ways make their decisions in the same function.
//
// Delivered again, a batch changes nothing. Fences are recorded in the same transaction. A record that can never settle
// is a *sale.PoisonError with its index, or with index -1 when the database refuses the values of one of several records
// without saying which. After any other error nothing or everything has happened: settle the same deliveries again.
func (s *Store) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	work, err := sortDeliveries(deliveries)
	if err != nil || len(deliveries) == 0 {
		return sale.Settlement{}, err
	}
	done, err := s.settle(ctx, work, false)
	if errors.Is(err, errLookCloser) {
		done, err = s.settle(ctx, work, true)
	}
	if err != nil {
		return sale.Settlement{}, fmt.Errorf("settle %d records: %w", len(deliveries), err)
	}
	return done, nil
}

func (s *Store) settle(ctx context.Context, work *settling, closely bool) (sale.Settlement, error) {
	var done sale.Settlement
	err := s.transact(ctx, func(tx *sql.Tx) error {
		books, err := s.readLedger(ctx, tx, work, closely)
		if err != nil {
			return err
		}
		decided := newPlan(books)
		for i := range work.batches {
			decided.settle(&work.batches[i])
		}
		if decided.lookCloser {
			return errLookCloser
		}
		if err := s.writePlan(ctx, tx, decided); err != nil {
			return s.judge(err, work, closely)
		}
		done = decided.done
		return s.passFences(ctx, tx, work.fences)
	})
	return done, err
}

// judge says what a failed write means for the settlement.
func (s *Store) judge(err error, work *settling, closely bool) error {
	switch s.dialect.fault(err) {
	case faultDuplicate:
		if closely { // written by someone else after we had read
			return errors.Join(errStartOver, err)
		}
		return errLookCloser
	case faultData:
		index := -1
		if len(work.batches) == 1 {
			index = work.batches[0].index
		}
		return &sale.PoisonError{Index: index, Reason: sale.PoisonData, Err: err}
	}
	return err
}

// settling is the work of one settlement.
type settling struct {
	batches []delivered
	fences  []string
}

// delivered is a batch to settle.
type delivered struct {
	*sale.Batch
	index     int   // among the deliveries
	createdMS int64 // within the bounds of a moment
}

func sortDeliveries(deliveries []sale.Delivery) (*settling, error) {
	work := &settling{batches: make([]delivered, 0, len(deliveries))}
	for i := range deliveries {
		batch := deliveries[i].Record.Batch
		if batch == nil {
			work.fences = append(work.fences, deliveries[i].Record.Fence)
			continue
		}
		if batch.CreatedMS < minMomentMS || batch.CreatedMS > maxMomentMS {
			err := fmt.Errorf("created_ms %d is no time that the database can hold", batch.CreatedMS)
			return nil, &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: err}
		}
		work.batches = append(work.batches, delivered{batch, i, batch.CreatedMS})
	}
	return work, nil
}

func datetime(ms int64) string { return time.UnixMilli(ms).UTC().Format(datetimeLayout) }

const (
	sqlPassFence    = "INSERT INTO fences (token, passed_ms) VALUES (?, %s)"
	sqlForgetFences = "DELETE FROM fences WHERE passed_ms < %s - ?"
)

// fenceLife is how long a passed fence is remembered: far longer than any rebuild waits for it.
const fenceLife = 24 * time.Hour

func (s *Store) passFences(ctx context.Context, tx *sql.Tx, tokens []string) error {
	if len(tokens) == 0 {
		return nil
	}
	statement := fmt.Sprintf(sqlPassFence, s.dialect.nowMS) + s.dialect.absent("token")
	for _, token := range tokens {
		if _, err := tx.ExecContext(ctx, statement, token); err != nil {
			return fmt.Errorf("pass fence %s: %w", token, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(sqlForgetFences, s.dialect.nowMS), fenceLife.Milliseconds())
	return err
}
