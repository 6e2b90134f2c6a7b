package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestBeats(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		first, readOnly, err := s.LastBeat(t.Context())
		require.NoError(t, err)
		require.False(t, readOnly)
		for range 3 {
			require.NoError(t, s.Beat(t.Context()))
		}
		last, _, err := s.LastBeat(t.Context())
		require.NoError(t, err)
		require.Equal(t, first+3, last)
		_, err = s.db.ExecContext(t.Context(), "DELETE FROM replica_beat")
		require.NoError(t, err)
		require.ErrorContains(t, s.Beat(t.Context()), "0 rows")
		_, _, err = s.LastBeat(t.Context())
		require.Error(t, err)
	})
}

// A server that takes no writes says so. TiDB has no such server beside others that take writes.
func TestABeatOfAReadOnlyServer(t *testing.T) {
	server := harness.MariaDBOf(t, "mariadb-10.11")
	s, err := Open(Options{Driver: DriverMySQL, DSN: server.DSN("d")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	for _, on := range []bool{true, false} {
		server.SetReadOnly(t, on)
		_, readOnly, err := s.LastBeat(t.Context())
		require.NoError(t, err)
		require.Equal(t, on, readOnly)
	}
}
