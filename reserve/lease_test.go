package reserve

import (
	"context"
	"errors"
	"flashsale/sale"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Work under a lease ends when the lease is lost, and not before; the lease is released afterwards.
func TestUnderLease(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	synctest.Test(t, func(t *testing.T) {
		db := newFakeDatabase()
		require.NoError(t, underLease(t.Context(), db, "l", "me", log, func(ctx context.Context) error {
			pause(ctx, 10*leaseTTL)
			require.NoError(t, ctx.Err(), "it is renewed")
			require.ErrorIs(t, underLease(ctx, db, "l", "you", log, nil), sale.ErrLeaseHeld)
			return nil
		}))
		require.Empty(t, db.leases)

		err := underLease(t.Context(), db, "l", "me", log, func(ctx context.Context) error {
			db.setAway(errors.New("away"))
			pause(ctx, 10*leaseTTL)
			return ctx.Err()
		})
		require.ErrorIs(t, err, errLeaseLost)
		require.Error(t, underLease(t.Context(), db, "l", "me", log, nil))
	})
}
