package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBeats(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		first, err := s.LastBeat(t.Context())
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, s.Beat(t.Context()))
		}
		last, err := s.LastBeat(t.Context())
		require.NoError(t, err)
		require.Equal(t, first+3, last)
		_, err = s.db.ExecContext(t.Context(), "DELETE FROM replica_beat")
		require.NoError(t, err)
		require.ErrorContains(t, s.Beat(t.Context()), "0 rows")
		_, err = s.LastBeat(t.Context())
		require.Error(t, err)
	})
}
