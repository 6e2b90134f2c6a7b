package replica

import (
	"context"
	"log/slog"
	"time"

	"flashsale/lease"
	"flashsale/role"
)

// Beats writes the number that gateways compare.
type Beats interface {
	// Beat raises the number by one.
	Beat(ctx context.Context) error
}

// beatEvery is the period of the beats, and of the gateways' looks at them.
const (
	beatEvery   = 100 * time.Millisecond
	beatTimeout = 2 * time.Second
)

// BeaterOptions are the parts of a Beater.
type BeaterOptions struct {
	Beats  Beats
	Leases lease.Leases
	Owner  string // unique to the process
	Log    *slog.Logger
}

// Beater raises the number; one process at a time does.
type Beater struct{ BeaterOptions }

// NewBeater returns a Beater. It does nothing before Run.
func NewBeater(o BeaterOptions) *Beater { return &Beater{o} }

// Run beats until ctx ends.
func (b *Beater) Run(ctx context.Context) {
	own := lease.Lease{Leases: b.Leases, Name: lease.Replica, Owner: b.Owner, Log: b.Log}
	own.Serve(ctx, role.Loop{
		Name: "beat for the replica", Unit: b.Beats.Beat, Log: b.Log, Limit: beatTimeout, Rest: role.Steady(beatEvery),
		Failing: "no beat for the replica is written, so gateways read orders from the primary",
	})
}
