package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestApartHasConnectionsOfItsOwn: with every other connection taken it reads on, which the Store itself cannot.
func TestApartHasConnectionsOfItsOwn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		apart, err := s.Apart(2)
		require.NoError(t, err)
		defer func() { require.NoError(t, apart.Close()) }()
		put(t, s, draft("eleven", 1, item("phone", 10)))
		for range s.db.Stats().MaxOpenConnections {
			conn, err := s.db.Conn(t.Context())
			require.NoError(t, err)
			defer func(conn *sql.Conn) { require.NoError(t, conn.Close()) }(conn)
		}
		full, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = s.Changes(full, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		changes, err := apart.Changes(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, changes.Sales, 1)
		require.Equal(t, 2, apart.db.Stats().MaxOpenConnections)
	})
}
