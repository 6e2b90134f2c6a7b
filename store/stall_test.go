package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// Times of a stalled database: the stall is as long as the read timeout, so that some calls time out and some succeed.
const (
	stallFor     = 15 * time.Second
	patience     = time.Second
	goesOnWithin = 5 * time.Second
	joinsWithin  = 30 * time.Second // a node of a cluster, which has left it meanwhile
)

// connections takes n connections at once and returns their ids on the server.
func connections(t *testing.T, s *Store, n int) map[int64]bool {
	t.Helper()
	ids := map[int64]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), goesOnWithin)
	defer cancel()
	for range n {
		conn, err := s.db.Conn(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		var id int64
		require.NoError(t, conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id))
		ids[id] = true
	}
	require.Len(t, ids, n)
	return ids
}

// A MariaDB that stalls for 15 s delays no call beyond its context, and within 5 s of its return every call works, or once
// it has joined its cluster again; the pool never uses a connection again on which a context ended.
func TestDatabaseThatStoodStill(t *testing.T) {
	const size = 8
	server := harness.MariaDB(t)
	s, err := Open(Options{Driver: DriverMySQL, DSN: server.DSN("stall"), MaxConnections: size})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	bucket := phone(t, s, 100, 1)
	before := connections(t, s, size)

	server.Pause()
	require.Eventually(t, func() bool { // the signal takes its time on a busy machine
		return s.Ping(contextOf(t, patience/4)) != nil
	}, stallFor, time.Millisecond)
	resume := time.After(stallFor)
	unbounded := make(chan error, 1)
	interrupted := batch(bucket, 1, 1, crowd(10)...)
	go func() {
		_, err := s.Settle(context.WithoutCancel(t.Context()), []sale.Delivery{interrupted})
		unbounded <- err
	}()
	began := time.Now()
	failed := make([]error, size-1) // the whole pool, with the settlement
	require.NoError(t, together(len(failed), func(i int) error {
		short := contextOf(t, patience)
		failed[i] = s.transactOnce(short, func(tx *sql.Tx) error { return tx.QueryRowContext(short, "SELECT 1").Scan(new(int)) })
		return nil
	}))
	for _, err := range failed {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Less(t, time.Since(began), 3*patience)
	require.ErrorIs(t, s.Ping(contextOf(t, patience)), context.DeadlineExceeded, "on a new connection")
	<-resume
	server.Continue()

	returned, within := time.Now(), goesOnWithin
	if server.Nodes() > 1 {
		within = joinsWithin
	}
	d := batch(bucket, 1, 2, crowd(10)...)
	_, err = s.Settle(contextOf(t, within), []sale.Delivery{d})
	require.NoError(t, err)
	after := connections(t, s, size-1)
	require.Less(t, time.Since(returned), within)
	reused := 0
	for id := range after {
		if before[id] {
			reused++
		}
	}
	require.LessOrEqual(t, reused, 1, "only the settlement's connection has not timed out")
	if err := <-unbounded; err != nil {
		settle(t, s, interrupted)
	}
	require.EqualValues(t, 20, countersOf(t, s, bucket).Settled)
	ledgerAgrees(t, s, bucket)
}

func contextOf(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
