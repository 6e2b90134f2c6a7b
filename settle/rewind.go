package settle

import (
	"context"

	"flashsale/role"
)

// rewinds looks every watchInterval whether the database still has what the claims of this process have settled. Settle finds
// by itself that it has not, but only with the next record of the partition, and after a sale there may be none.
type rewinds struct {
	store Store
	lag   *lag

	before map[int32]int64 // what the claims had settled at the last look
}

func (s *Settler) rewinds() *rewinds { return &rewinds{store: s.store, lag: s.lag} }

// Rewind looks until ctx ends.
func (r *rewinds) Rewind(ctx context.Context) {
	role.Until(ctx, role.Always(watchInterval), func() (done bool) {
		r.look(ctx)
		return false
	})
}

// look ends the claims of partitions whose last rows the database has lost, so that they are continued where it says. It compares
// with what was settled at the last look, because another node of a cluster may answer that has not applied the newest yet. A
// database that does not answer is the business of those that settle.
func (r *rewinds) look(ctx context.Context) {
	known := r.before
	r.before = r.lag.settled()
	if len(known) == 0 {
		return
	}
	positions, err := r.store.Positions(ctx)
	if err != nil {
		return
	}
	at := make(map[int32]int64, len(positions))
	for _, p := range positions {
		at[p.Partition] = p.Next
	}
	for partition, next := range known {
		if at[partition] < next {
			r.lag.rewind(partition, next, at[partition])
		}
	}
}
