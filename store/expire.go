package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

// ExpireOrders expires up to limit confirmed orders whose payment time is over by the database's clock, oldest first, but none
// of a sale whose holds are frozen. It gives their units back and returns how many it expired; if it returns limit, there may be
// more. It skips an order that is paid, cancelled or extended between the search and the lock.
//
// If freezeAfter is positive, it freezes a sale before it expires an order of it, where payments came before and none came for
// so long.
func (s *Store) ExpireOrders(ctx context.Context, limit int, freezeAfter time.Duration) (sale.Expiry, error) {
	var done sale.Expiry
	l, err := s.lookForDue(ctx, limit)
	if err == nil && freezeAfter > 0 {
		done.Frozen, err = s.freezeSilent(ctx, l, freezeAfter)
	}
	if err != nil {
		return done, fmt.Errorf("look for unpaid orders: %w", err)
	}
	if len(l.found) == 0 {
		s.passed.pass(l)
		return done, nil
	}
	err = s.transact(ctx, func(tx *sql.Tx) (err error) {
		done.Orders, err = s.expireOrders(ctx, tx, l.found)
		return err
	})
	if err != nil {
		return sale.Expiry{Frozen: done.Frozen}, fmt.Errorf("expire %d orders: %w", len(l.found), err)
	}
	faults.Point("store.expired")
	s.passed.pass(l)
	return done, nil
}

func (s *Store) expireOrders(ctx context.Context, tx *sql.Tx, due []dueOrder) (int, error) {
	ids, buckets := make([]sale.OrderID, len(due)), make([]sale.Bucket, len(due))
	for i := range due {
		ids[i], buckets[i] = due[i].id, due[i].Bucket
	}
	rows, _, err := s.lockBuckets(ctx, tx, buckets) // finds a freeze since the search
	if err != nil {
		return 0, err
	}
	locked, nowMS, err := s.lockOrders(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	paid, err := s.payRemembered(ctx, tx, nowMS, ids) // a remembered payment precedes the expiry
	if err != nil {
		return 0, err
	}
	leaving := make([]ledger.Releasing, 0, len(locked))
	for i := range locked {
		o := &locked[i]
		if !ledger.Expires(&o.Order, rows[o.bucket], nowMS) || slices.Contains(paid, o.OrderID) {
			continue
		}
		leaving = append(leaving, o.releasing())
	}
	if len(leaving) == 0 {
		return 0, nil
	}
	decided, err := s.planRelease(ctx, tx, rows, nowMS, leaving, sale.StatusExpired, sale.ReasonNone)
	if err != nil {
		return 0, err
	}
	err = s.writePlan(ctx, tx, nowMS, decided)
	faults.Point("store.expiry-written")
	return len(leaving), err
}
