package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestNoFreeNodeIDSaysWhoHasThem(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for _, statement := range []string{
			"UPDATE node_leases SET expires_ms = 9000000000000000, holder = 'shop-1/77/ab'",
			"UPDATE node_leases SET holder = 'shop-2/8/cd' WHERE node_id BETWEEN 3 AND 5 OR node_id = 7",
			"UPDATE node_leases SET holder = 'shop-2/9/ef' WHERE node_id = 6",
		} {
			_, err := s.db.Exec(statement)
			require.NoError(t, err)
		}
		_, err := s.LeaseNode(t.Context(), "me", time.Minute)
		require.ErrorIs(t, err, sale.ErrLeaseHeld)
		require.ErrorContains(t, err, "none of 1024 is free: 0-2 8-1023 of shop-1, 3-7 of shop-2: ")
	})
}
