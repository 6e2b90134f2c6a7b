package admin

import (
	"context"
	"encoding/json"
	"slices"

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

func (f *fakeStore) Note(ctx context.Context, c sale.Change) error {
	return f.NoteRefused(ctx, c, sale.OutcomeDone)
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

// note adds an entry about a sale.
func (f *fakeStore) note(id, verb string) {
	f.set(func() {
		f.trail = append(f.trail, sale.TrailEntry{
			ID: int64(len(f.trail) + 1), At: sale.Time{Time: tenOClock}, Who: "night", Role: sale.RoleOperator, Verb: verb,
			Target: sale.TargetSale(id), Sale: id, Before: json.RawMessage("null"), After: json.RawMessage("null"),
			Outcome: sale.OutcomeDone,
		})
	})
}

func (f *fakeStore) SaleTrailIDs(ctx context.Context, id string, above int64, limit int) (ids []int64, err error) {
	f.set(func() {
		for i := len(f.trail) - 1; i >= 0 && len(ids) < limit; i-- {
			if e := f.trail[i]; e.Sale == id && e.ID > above {
				ids = append(ids, e.ID)
			}
		}
	})
	return ids, f.before(ctx, "SaleTrailIDs")
}

func (f *fakeStore) TrailEntries(ctx context.Context, ids []int64) (entries []sale.TrailEntry, err error) {
	f.set(func() {
		f.entriesRead += len(ids)
		for _, e := range f.trail {
			if slices.Contains(ids, e.ID) {
				entries = append(entries, e)
			}
		}
	})
	return entries, f.before(ctx, "TrailEntries")
}
