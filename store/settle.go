package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// errLookCloser ends a hasty settlement that is not the ordinary case: Settle must read the rows first.
var errLookCloser = errors.New("the ordinary case does not apply")

// Settle writes deliveries in one transaction: for each batch its marker, its orders and its units; for each transfer its
// marker, the moved units and the receiver's credit; for all of them the events and the positions in the orders topic.
//
// It locks the bucket rows and reads the units and what the buyers have bought. It first runs optimistically: it assumes that
// there are no markers and no rows of the orders, and relies on the unique keys. If a unique key refuses a row, or a record
// is late, a fork or beyond the loaded units, it rolls back and runs again after reading everything. The same function
// decides in both cases.
//
// A record that is delivered again changes nothing. The same transaction records fences. For a record that can never settle
// the error is a *sale.PoisonError with its index, or with index -1 if the database refuses the values of one of several
// records without naming it. For a record of an epoch that the database has not begun, or of a topic other than the one from
// which it has settled, the error wraps sale.ErrBehind; for records that follow what it has not settled, sale.ErrLostTail. After
// any other error Settle has written all or nothing: settle the
// same deliveries again.
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
	faults.Point("store.records-settled")
	return done, nil
}

func (s *Store) settle(ctx context.Context, work *settling, closely bool) (sale.Settlement, error) {
	var done sale.Settlement
	var noted notes
	err := s.transact(ctx, func(tx *sql.Tx) error {
		noted = notes{}
		state, err := s.readState(ctx, tx, work, closely, &noted)
		if err != nil {
			return err
		}
		decided := decide(state, work)
		noted.planned(decided.Moves, state.Buckets)
		if len(decided.Behind) > 0 {
			return behind(decided.Behind, state.Buckets)
		}
		if decided.LookCloser {
			return errLookCloser
		}
		if err := s.writePlan(ctx, tx, state.NowMS, decided); err != nil {
			return s.judge(err, work, closely)
		}
		if err := s.writePositions(ctx, tx, work.positions); err != nil {
			return err
		}
		if err := s.passFences(ctx, tx, work.fences); err != nil {
			return err
		}
		done = decided.Settlement
		err = s.closePlanned(ctx, tx, decided.Closing)
		faults.Point("store.settlement-written")
		return err
	})
	if err == nil { // after any other result of the commit the counts stay, and the next settlement finds a difference
		noted.committed()
	}
	return done, err
}

func decide(state *ledger.State, work *settling) *ledger.Plan {
	decided := ledger.NewPlan(state)
	for _, r := range work.records {
		if r.Batch != nil {
			decided.Settle(r.Batch)
		} else {
			decided.Transfer(r.Transfer)
		}
	}
	return decided
}

// judge returns the error of the settlement after a failed write.
func (s *Store) judge(err error, work *settling, closely bool) error {
	switch s.dialect.fault(err) {
	case faultDuplicate:
		if closely { // another transaction wrote it after the reading
			return errors.Join(errStartOver, err)
		}
		return errLookCloser
	case faultData:
		index := -1
		if len(work.records) == 1 {
			index = work.index[0]
		}
		return &sale.PoisonError{Index: index, Reason: sale.PoisonData, Err: err}
	}
	return err
}

// settling is the work of one settlement.
type settling struct {
	records   []sale.Record // batches and transfers
	index     []int         // of each record in the deliveries
	fences    []string
	positions []move // one a partition
}

func (w *settling) batches() []*sale.Batch {
	batches := make([]*sale.Batch, 0, len(w.records))
	for _, r := range w.records {
		if r.Batch != nil {
			batches = append(batches, r.Batch)
		}
	}
	return batches
}

func sortDeliveries(deliveries []sale.Delivery) (*settling, error) {
	work := &settling{positions: positionsAfter(deliveries)}
	for i := range deliveries {
		record := deliveries[i].Record
		switch {
		case record.Batch == nil && record.Transfer == nil && record.Fence == "": // a dead letter: skip it
			continue
		case record.Batch == nil && record.Transfer == nil:
			work.fences = append(work.fences, record.Fence)
			continue
		case record.Batch != nil && (record.Batch.CreatedMS < ledger.MinMomentMS || record.Batch.CreatedMS > ledger.MaxMomentMS):
			err := fmt.Errorf("created_ms %d is outside the times of the database", record.Batch.CreatedMS)
			return nil, &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: err}
		}
		work.records, work.index = append(work.records, record), append(work.index, i)
	}
	return work, nil
}

func datetime(ms int64) string { return time.UnixMilli(ms).UTC().Format(datetimeLayout) }
