package admin

import (
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

const (
	trailShown = 20 // entries at the start of a live stream
	// trailOverlap is how many ids below the newest known one are looked at again: an entry with a lower id may be committed
	// after it.
	trailOverlap = 200
)

// trailTail is the newest entries about a sale, the oldest first, each encoded once.
type trailTail struct{ entries []trailEvent }

type trailEvent struct {
	id   int64
	data []byte
}

// readTrail adds the entries that the last reading does not have.
func (a *API) readTrail(ctx context.Context, r *saleReading) error {
	known := map[int64]bool{}
	above := int64(0)
	for _, e := range r.trail.entries {
		known[e.id] = true
		above = max(above, e.id-trailOverlap)
	}
	ids, err := a.deps.Live.SaleTrailIDs(ctx, r.sale.ID, above, trailShown)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return known[id] })
	if len(ids) == 0 {
		return nil
	}
	entries, err := a.deps.Live.TrailEntries(ctx, ids)
	if err != nil {
		return err
	}
	tail := slices.Clone(r.trail.entries)
	for i := range entries {
		encoded, err := sale.JSON(entries[i])
		if err != nil {
			return fmt.Errorf("encode entry %d of the trail: %w", entries[i].ID, err)
		}
		tail = append(tail, trailEvent{entries[i].ID, encoded})
	}
	slices.SortFunc(tail, func(x, y trailEvent) int { return int(x.id - y.id) })
	r.trail.entries = tail[max(0, len(tail)-trailKept):]
	return nil
}

// trailKept bounds the entries of a tail: those shown at the start, and those that a slow watcher may have missed.
const trailKept = 2 * trailShown

// trailSent is the entries that one stream has sent.
type trailSent struct {
	begun bool
	sent  map[int64]bool
}

// fresh returns the entries of a tail that the stream has not sent, the last trailShown of them at its start. It forgets those
// that have left the tail.
func (t *trailSent) fresh(tail *trailTail) (events []trailEvent) {
	now := make(map[int64]bool, len(tail.entries))
	for i, e := range tail.entries {
		if !t.sent[e.id] && (t.begun || i >= len(tail.entries)-trailShown) {
			events = append(events, e)
		}
		now[e.id] = true
	}
	t.begun, t.sent = true, now
	return events
}
