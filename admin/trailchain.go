package admin

import (
	"context"
	"log/slog"
	"time"

	"flashsale/lease"
	"flashsale/role"
)

// TrailChainer gives entries of the trail their place in the chain, and returns to how many.
type TrailChainer interface {
	ChainTrail(ctx context.Context, limit int) (chained int, err error)
}

const (
	chainPage  = 500
	chainEvery = 500 * time.Millisecond
	chainLimit = 10 * time.Second
)

// ChainTrail chains the trail until ctx ends. One process at a time does it; two would only wait for each other. A changed row
// is found from then on: each entry's hash covers that of the entry before it.
func ChainTrail(ctx context.Context, trail TrailChainer, leases lease.Leases, owner string, log *slog.Logger) {
	more := false
	own := &lease.Lease{Leases: leases, Name: lease.Trail, Owner: owner, Log: log}
	own.Serve(ctx, role.Loop{
		Name: "trail", Failing: "the trail could not be chained and will be", Log: log,
		Unit: func(ctx context.Context) error {
			n, err := trail.ChainTrail(ctx, chainPage)
			more = n >= chainPage
			return err
		},
		Rest: func(time.Duration) time.Duration {
			if more {
				return 0
			}
			return chainEvery
		},
		Retry: role.Backoff, Limit: chainLimit,
	})
}
