package admin

import (
	"context"
	"encoding/json"

	"flashsale/sale"
)

// The trail of the fake store. The real store writes the entries of changes; this one has only what the API itself notes.

func (f *fakeStore) NoteRefused(ctx context.Context, c sale.Change, code string) error {
	actor := sale.ActorOf(ctx)
	f.set(func() {
		f.trail = append(f.trail, sale.TrailEntry{
			ID: int64(len(f.trail) + 1), At: sale.Time{Time: tenOClock}, Who: actor.Who, Role: actor.Role, Verb: c.Verb,
			Target: c.Target, Sale: c.Sale, Before: json.RawMessage("null"), After: json.RawMessage("null"), Outcome: code,
			RequestID: actor.RequestID,
		})
	})
	return f.before(ctx, "NoteRefused")
}

func (f *fakeStore) Trail(ctx context.Context, q sale.TrailQuery) (page sale.TrailPage, err error) {
	f.set(func() {
		f.asked = q
		for i := len(f.trail) - 1; i >= 0; i-- {
			if e := f.trail[i]; (q.Sale == "" || e.Sale == q.Sale) && (q.Before == 0 || e.ID < q.Before) {
				page.Entries = append(page.Entries, e)
			}
		}
	})
	if page.More = len(page.Entries) > q.Limit; page.More {
		page.Entries = page.Entries[:q.Limit]
	}
	return page, f.before(ctx, "Trail")
}
