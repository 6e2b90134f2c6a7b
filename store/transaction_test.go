package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestTransactRepeatsConflictsOnly(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		runs := 0
		err := s.transact(t.Context(), func(*sql.Tx) error {
			if runs++; runs < 3 {
				return errors.Join(errStartOver, errors.New("changed"))
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, runs)

		const conflicts = 3 * leastAttempts // as from a cluster of several writers, one after the other
		runs = 0
		err = s.transact(t.Context(), func(*sql.Tx) error {
			if runs++; runs <= conflicts {
				return errStartOver
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, conflicts+1, runs)

		s.repeatFor, runs = time.Millisecond, 0
		err = s.transact(t.Context(), func(*sql.Tx) error { runs++; return errStartOver })
		require.ErrorIs(t, err, errStartOver)
		require.Equal(t, leastAttempts, runs)

		runs = 0
		other := errors.New("other")
		require.ErrorIs(t, s.transact(t.Context(), func(*sql.Tx) error { runs++; return other }), other)
		require.Equal(t, 1, runs)
	})
}

func TestTransactUndoesWhatFailed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		write := func(tx *sql.Tx) {
			_, err := tx.Exec("INSERT INTO leases (name, holder, expires_ms) VALUES ('a', 'b', 1)")
			require.NoError(t, err)
		}
		other := errors.New("other")
		require.ErrorIs(t, s.transact(t.Context(), func(tx *sql.Tx) error { write(tx); return other }), other)
		require.Panics(t, func() {
			_ = s.transact(t.Context(), func(tx *sql.Tx) error { write(tx); panic("assertion") })
		})
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM leases"))
		require.NoError(t, s.transact(t.Context(), func(tx *sql.Tx) error { write(tx); return nil }), "no lock is left behind")
	})
}

func TestTransactEndsWithItsContext(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.transact(ctx, func(*sql.Tx) error { return nil }), context.Canceled)

		ctx, cancel = context.WithCancel(t.Context())
		err := s.transact(ctx, func(*sql.Tx) error { cancel(); return errStartOver })
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Two transactions lock two rows crosswise: the server undoes one, which runs again and finds the other's work.
func TestDeadlockIsRepeated(t *testing.T) {
	s := migrated(t, DriverMySQL)
	for _, name := range []string{"a", "b"} {
		require.True(t, acquire(t, s, name, "holder", time.Minute))
	}
	_, err := s.db.Exec("UPDATE leases SET expires_ms = 0")
	require.NoError(t, err)
	locked := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	runs := [2]int{}
	err = together(2, func(i int) error {
		return s.transact(t.Context(), func(tx *sql.Tx) error {
			runs[i]++
			for step, name := range [][]string{{"a", "b"}, {"b", "a"}}[i] {
				if _, err := tx.Exec("UPDATE leases SET expires_ms = expires_ms + 1 WHERE name = ?", name); err != nil {
					return err
				}
				if step == 0 && runs[i] == 1 {
					close(locked[i])
					<-locked[1-i]
				}
			}
			return nil
		})
	})
	require.NoError(t, err)
	require.Equal(t, 3, runs[0]+runs[1])
	require.Equal(t, 4, count(t, s, "SELECT SUM(expires_ms) FROM leases"))
}

// The server dies and restarts. It has every acknowledged settlement, and the others settle again, once.
func TestDatabaseKilled(t *testing.T) {
	server := harness.MariaDB(t)
	s, err := Open(Options{Driver: DriverMySQL, DSN: server.DSN("killed")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	bucket := phone(t, s, 10_000, 1)
	var settled []sale.Delivery
	interrupted := batch(bucket, 1, 0, crowd(50)...)
	failed := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		for sequence := int64(1); ; sequence++ {
			d := batch(bucket, 1, sequence, crowd(50)...)
			if _, err := s.Settle(t.Context(), []sale.Delivery{d}); err != nil {
				interrupted = d
				failed <- err
				return
			}
			settled = append(settled, d)
			if sequence == 5 {
				close(begun)
			}
		}
	}()
	<-begun
	server.Kill()
	require.Error(t, <-failed)
	require.Error(t, s.Ping(t.Context()))
	_, err = s.Settle(t.Context(), []sale.Delivery{interrupted})
	require.Error(t, err)

	server.Start()
	settle(t, s, interrupted)
	require.Equal(t, sale.Settlement{Duplicate: len(settled) + 1}, settle(t, s, append(settled, interrupted)...))
	require.EqualValues(t, 50*(len(settled)+1), countersOf(t, s, bucket).Settled)
	ledgerAgrees(t, s, bucket)
}

func TestOpenNeedsNoDatabase(t *testing.T) {
	s, err := Open(Options{Driver: DriverMySQL, DSN: "root@tcp(127.0.0.1:1)/shop", MaxConnections: 2})
	require.NoError(t, err)
	require.Error(t, s.Ping(t.Context()))
	err = s.CheckSchema(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, sale.ErrSchema, "its schema is unknown")
	require.NoError(t, s.Close())
}
