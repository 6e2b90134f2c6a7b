package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Bounds of repeating a transaction after conflicts: repeatFor, and at least leastAttempts, because each conflict may cost a
// lock wait. With sorted locks conflicts are rare on one writer; a cluster of several writers finds them only at the commit,
// one after the other. After the last attempt transact returns the error, and the caller may repeat the call.
const (
	repeatFor     = 5 * time.Second
	leastAttempts = 6
	retryWait     = 40 * time.Millisecond // the longest first wait; it grows with every attempt
	maxRetryWait  = 200 * time.Millisecond
)

// errStartOver makes transact repeat the transaction, because rows that it has read have changed.
var errStartOver = errors.New("the rows changed while the transaction ran")

// transact runs work in a READ COMMITTED transaction and commits it. work may run several times and must not use results of an
// earlier run. After an error of the commit that is not a conflict, such as a lost connection, the result is unknown.
func (s *Store) transact(ctx context.Context, work func(tx *sql.Tx) error) error {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		err := s.transactOnce(ctx, work)
		over := attempt >= leastAttempts && time.Since(began) >= s.repeatFor
		if err == nil || over || !s.mayRepeat(err) {
			return err
		}
		if stopped := pause(ctx, rand.N(min(time.Duration(attempt)*retryWait, maxRetryWait))); stopped != nil {
			return errors.Join(err, stopped)
		}
	}
}

func (s *Store) mayRepeat(err error) bool {
	return errors.Is(err, errStartOver) || s.dialect.fault(err) == faultTransient
}

func (s *Store) transactOnce(ctx context.Context, work func(tx *sql.Tx) error) error {
	if s.writer != nil {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	finished, committed := false, false
	defer func() {
		s.statuses.ended(tx, committed)
		if !finished { // work panicked: release its locks
			_ = tx.Rollback()
		}
	}()
	err = work(tx)
	finished = true
	if err != nil {
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", undo))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// execute runs one statement in a transaction of its own and returns the number of changed rows.
func (s *Store) execute(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// pause waits, or returns the context's error if ctx ends first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
