package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGatewaysThatAreBehind(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		behind := func(version int64, within time.Duration) []string {
			t.Helper()
			holders, err := s.GatewaysBehind(t.Context(), version, within)
			require.NoError(t, err)
			return holders
		}
		require.Empty(t, behind(1, time.Minute), "there is no gateway")
		require.NoError(t, s.NoteGateway(t.Context(), "one", 4))
		require.NoError(t, s.NoteGateway(t.Context(), "two", 5))
		require.Equal(t, []string{"one"}, behind(5, time.Minute))
		require.Equal(t, []string{"one", "two"}, behind(6, time.Minute))
		for range 2 { // also twice in one millisecond
			require.NoError(t, s.NoteGateway(t.Context(), "one", 5))
		}
		require.Empty(t, behind(5, time.Minute))
		require.NoError(t, s.NoteGateway(t.Context(), "two", 3), "another database has other versions")
		require.Equal(t, []string{"two"}, behind(5, time.Minute))

		_, err := s.db.Exec("UPDATE gateways SET seen_ms = seen_ms - 120000 WHERE holder = 'two'")
		require.NoError(t, err)
		require.Empty(t, behind(5, time.Minute), "no process waits for a silent gateway")
		require.NoError(t, s.ForgetGateway(t.Context(), "one"))
		require.Empty(t, behind(9, time.Minute))

		_, err = s.db.Exec("UPDATE gateways SET seen_ms = 1")
		require.NoError(t, err)
		require.NoError(t, s.NoteGateway(t.Context(), "three", 1))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM gateways"), "the dead are forgotten")
	})
}

func TestCatalogueVersionMovesWithTheCatalogue(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		before, err := s.CatalogueVersion(t.Context())
		require.NoError(t, err)
		put(t, s, draft("a", 1, item("phone", 1)))
		after, err := s.CatalogueVersion(t.Context())
		require.NoError(t, err)
		require.Greater(t, after, before)
	})
}
