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

// errLookCloser ends a hasty settlement: something is not as in the ordinary case, so the rows have to be read first.
var errLookCloser = errors.New("the ordinary case does not apply")

// Settle writes deliveries in one transaction: for each batch its marker, its orders and its units, for
// each transfer its marker, the units it moves and the receiver's credit, for all of them the events to be told and the
// positions in the orders topic.
//
// It first runs hastily: it locks the stock rows, takes for granted that no marker, order or other purchase of the
// buyers is there, and lets the unique keys object. When they do, or a record is late, a fork or beyond what is loaded,
// it rolls back and runs again with everything read first. Both ways make their decisions in the same function.
//
// Delivered again, a record changes nothing. Fences are recorded in the same transaction. A record that can never settle
// is a *sale.PoisonError with its index, or with index -1 when the database refuses the values of one of several records
// without saying which. A record of an epoch that the database has not begun, or of a topic other than the one that it
// has settled from, is an error that wraps sale.ErrBehind. After any other error nothing or everything has happened:
// settle the same deliveries again.
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
	err := s.transact(ctx, func(tx *sql.Tx) error {
		state, err := s.readState(ctx, tx, work, closely)
		if err != nil {
			return err
		}
		decided := decide(state, work)
		if len(decided.Behind) > 0 {
			return behind(decided.Behind, state.Stock)
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
	index     []int         // of each among the deliveries
	fences    []string
	positions []sale.Position // one a partition
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
		case record.Batch == nil && record.Transfer == nil && record.Fence == "": // a dead letter, passed by
			continue
		case record.Batch == nil && record.Transfer == nil:
			work.fences = append(work.fences, record.Fence)
			continue
		case record.Batch != nil && (record.Batch.CreatedMS < ledger.MinMomentMS || record.Batch.CreatedMS > ledger.MaxMomentMS):
			err := fmt.Errorf("created_ms %d is no time that the database can hold", record.Batch.CreatedMS)
			return nil, &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: err}
		}
		work.records, work.index = append(work.records, record), append(work.index, i)
	}
	return work, nil
}

func datetime(ms int64) string { return time.UnixMilli(ms).UTC().Format(datetimeLayout) }
