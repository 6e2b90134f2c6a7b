package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Bounds of running a transaction again: as long as conflicts come quickly repeatFor, and where each costs a lock wait at
// least leastAttempts. With sorted locks conflicts are rare on one writer; a cluster of several writers finds them at the
// commit only, one after the other. Whoever still loses gets the error, which is his to repeat.
const (
	repeatFor     = 5 * time.Second
	leastAttempts = 6
	retryWait     = 40 * time.Millisecond // the longest first wait; it grows with every attempt
	maxRetryWait  = 200 * time.Millisecond
)

// errStartOver asks transact for another attempt: what the transaction saw has changed under it.
var errStartOver = errors.New("the rows changed while the transaction ran")

// transact runs work in a READ COMMITTED transaction and commits it. Work may run several times: it must keep nothing
// from an earlier run. An error of the commit other than a conflict means unknown, as when the connection was lost.
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
	finished := false
	defer func() {
		if !finished { // work panicked: its locks must not outlive it
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
	return nil
}

// execute runs one statement in a transaction of its own and returns the rows it changed.
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

// pause waits, or returns the context's error when that ends first.
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
