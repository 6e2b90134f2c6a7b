package gateway

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestDatabaseHasItsOwnTime: time of the caller that another store has used does not count as a fault of the database.
func TestDatabaseHasItsOwnTime(t *testing.T) {
	s := newScene(t)
	rule := sale.BreakerRule{
		Resource: sale.ResourceMySQL, Strategy: sale.StrategyErrorCount, Threshold: 1, WindowMS: 10_000, MinRequests: 1,
		RetryMS: 60_000,
	}
	s.database.rules(sale.Rules{CircuitBreaker: []sale.BreakerRule{rule}})
	s.pollCatalogue()
	l := s.gateway.lookups
	caller, over := context.WithCancel(t.Context())
	for range 3 {
		require.NoError(t, l.call(caller, "read", func(ctx context.Context) error { over(); return ctx.Err() }))
		caller, over = context.WithCancel(t.Context())
	}
	over()
	for range 3 {
		asked := false
		require.ErrorIs(t, l.call(caller, "read", func(context.Context) error { asked = true; return nil }), context.Canceled)
		require.False(t, asked, "no request waits for the answer")
	}
	require.NoError(t, l.call(t.Context(), "read", func(context.Context) error { return nil }), "the circuit is closed")
	require.ErrorIs(t, l.call(t.Context(), "read", func(context.Context) error { return errAway }), errAway)
	require.ErrorIs(t, l.call(t.Context(), "read", func(context.Context) error { return nil }), errBreakerOpen)
}
