package store

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestServerFailsSilently: every connection of the pool is dead without an error. After the timeout of one call the pool uses
// none of them again; otherwise each connection would cost a timeout of its own.
func TestServerFailsSilently(t *testing.T) {
	const warm, patience = 8, 1200 * time.Millisecond
	server := harness.SharedMariaDB(t)
	wire := harness.NewWire(t, server.Addr)
	s, err := Open(Options{Driver: DriverMySQL, DSN: strings.Replace(server.DSN(databaseName(t)), server.Addr, wire.Addr, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var together, ended sync.WaitGroup
	together.Add(warm)
	for range warm {
		ended.Go(func() {
			conn, err := s.db.Conn(t.Context())
			together.Done()
			together.Wait()
			if err == nil {
				err = conn.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	ended.Wait()
	require.Equal(t, warm, s.db.Stats().Idle)

	wire.Lose()
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return s.Ping(ctx)
	}
	require.ErrorIs(t, ping(), context.DeadlineExceeded)
	began := time.Now()
	require.NoError(t, ping())
	require.Less(t, time.Since(began), patience)
}

// TestSilenceOfAnotherServer: the first server of a list accepts connections and says nothing. Each new connection that passes it
// over leaves the good connections to the second one as they are.
func TestSilenceOfAnotherServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	server := harness.SharedMariaDB(t)
	text := server.DSN(databaseName(t))
	if !strings.Contains(text, "?") {
		text += "?"
	}
	text = strings.Replace(text, server.Addr, silent.Addr().String()+","+server.Addr, 1)
	s, err := Open(Options{Driver: DriverMySQL, DSN: text + "&timeout=1200ms"}) // longer than silentAfter
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	first, err := s.db.Conn(t.Context())
	require.NoError(t, err)
	var before, after int64
	require.NoError(t, first.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&before))
	second, err := s.db.Conn(t.Context())
	require.NoError(t, err)
	defer second.Close()
	require.NoError(t, first.Close())
	began := time.Now()
	require.NoError(t, s.db.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&after))
	require.Equal(t, before, after, "it is used again")
	require.Less(t, time.Since(began), silentAfter)
}

// TestCancelledCallIsNotSilence: a caller that closes its connection soon does not affect the other connections.
func TestCancelledCallIsNotSilence(t *testing.T) {
	server := harness.SharedMariaDB(t)
	s, err := Open(Options{Driver: DriverMySQL, DSN: server.DSN(databaseName(t))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	kept, err := s.db.Conn(t.Context())
	require.NoError(t, err)
	var before, after int64
	require.NoError(t, kept.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&before))
	ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	_, err = s.db.ExecContext(ctx, "SELECT SLEEP(5)")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, kept.Close())
	require.NoError(t, s.db.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&after))
	require.Equal(t, before, after, "it is used again")
}
