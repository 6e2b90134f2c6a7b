package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

// ArchiveSale ends a closed sale that is at rest and whose counters are those that were judged: the sale and its buckets become
// archived, the buckets in an epoch of their own. An archived sale is returned as it is. For a sale in another state the error is
// a *sale.StateError, for one that is not at rest a *sale.UnrestError.
func (d *Database) ArchiveSale(ctx context.Context, id string, judged []sale.StockCounters) (sale.Archive, error) {
	return call(ctx, d, "ArchiveSale", func() (sale.Archive, error) {
		s, err := d.t.sale(id)
		switch {
		case err != nil:
			return sale.Archive{}, err
		case s.State == sale.StateArchived:
			return d.t.archive(id)
		case s.State != sale.StateClosed:
			return sale.Archive{}, &sale.StateError{State: s.State, Detail: "only a closed sale can be archived"}
		}
		counters := d.t.saleCounters(id)
		unrest := d.t.unrest(id)
		unrest.Buckets, unrest.Moved = sale.NotOpen(counters), sale.Moved(judged, counters)
		if unrest != (sale.Unrest{}) {
			return sale.Archive{}, &sale.UnrestError{Unrest: unrest}
		}
		d.t.Archives[id] = sale.Archive{
			Sale: id, ArchivedAt: sale.TimeMillis(d.nowMS()), Books: sale.FinalBooks(&s.Sale, counters),
		}
		s.State, s.Reason, s.HoldsFrozenSince, s.thawing = sale.StateArchived, "", nil, false
		var rows []*Row
		for _, row := range d.t.SortedBuckets() {
			if row.Sale == id {
				rows = append(rows, row)
			}
		}
		d.t.stamp(rows, func(row *Row) {
			row.Archive(d.t.Shelves(row.Bucket))
			row.ClosedReason, row.Frozen = "", false
		})
		d.t.stampSale(s)
		return d.t.archive(id)
	})
}

// archive returns the archive of a sale with what the sale says of buckets and lists.
func (t *Tables) archive(id string) (sale.Archive, error) {
	a, known := t.Archives[id]
	if !known {
		return sale.Archive{}, fmt.Errorf("archive of %s: %w", id, sale.ErrNotFound)
	}
	a.Books = slices.Clone(a.Books)
	a.Buckets, a.Lists = t.Sales[id].Buckets, t.Sales[id].started
	return a, nil
}

// Archive returns the archive of a sale.
func (d *Database) Archive(ctx context.Context, id string) (sale.Archive, error) {
	return call(ctx, d, "Archive", func() (sale.Archive, error) { return d.t.archive(id) })
}

// OpenArchives returns the archives of which something may be left in Redis, sorted by id.
func (d *Database) OpenArchives(ctx context.Context) ([]sale.Archive, error) {
	return call(ctx, d, "OpenArchives", func() ([]sale.Archive, error) {
		var open []sale.Archive
		for id := range d.t.Archives {
			a, err := d.t.archive(id)
			if err != nil {
				return nil, err
			}
			if !a.Dropped {
				open = append(open, a)
			}
		}
		slices.SortFunc(open, func(a, b sale.Archive) int { return cmp.Compare(a.Sale, b.Sale) })
		return open, nil
	})
}

// ArchiveDropped notes that nothing of an archived sale is left in Redis.
func (d *Database) ArchiveDropped(ctx context.Context, id string) error {
	return d.run(ctx, "ArchiveDropped", func() error {
		if a, known := d.t.Archives[id]; known {
			a.Dropped = true
			d.t.Archives[id] = a
		}
		return nil
	})
}

// Unrest counts what the database knows to keep a sale from being archived.
func (d *Database) Unrest(ctx context.Context, id string) (sale.Unrest, error) {
	return call(ctx, d, "Unrest", func() (sale.Unrest, error) { return d.t.unrest(id), nil })
}

func (t *Tables) unrest(id string) (unrest sale.Unrest) {
	for bucket, rows := range t.Outbox {
		if bucket.Sale == id {
			unrest.Outbox += int64(len(rows))
		}
	}
	for _, letter := range t.Letters {
		of := func(head []byte) bool { return bytes.HasPrefix(letter.Raw, head) }
		if letter.State == sale.DeadLetterWaiting && slices.ContainsFunc(sale.RecordHeads(id), of) {
			unrest.DeadLetters++
		}
	}
	for change, row := range t.Changes {
		if change.Sale == id && row.OpenRows > 0 {
			unrest.StockChanges++
		}
	}
	for _, o := range t.Orders {
		if o.Sale == id && o.Status == sale.StatusConfirmed {
			unrest.Unpaid++
		}
	}
	return unrest
}

// ForgetLists deletes every list of an archived sale, or of a draft that was never preloaded, and returns the number of the last
// one that was begun.
func (d *Database) ForgetLists(ctx context.Context, id string) (int64, error) {
	return call(ctx, d, "ForgetLists", func() (int64, error) {
		s, err := d.t.sale(id)
		if err != nil {
			return 0, err
		}
		last := s.started
		if s.State != sale.StateArchived {
			if err := d.t.mayDelete(s); err != nil {
				return 0, err
			}
			s.started++
			d.t.stampSale(s)
		}
		s.Listed, s.ListVersion, s.ListSize = nil, 0, 0
		return last, nil
	})
}

// DeleteDraft deletes a draft that was never preloaded and has no list of buyers.
func (d *Database) DeleteDraft(ctx context.Context, id string) error {
	return d.run(ctx, "DeleteDraft", func() error {
		s, err := d.t.sale(id)
		if err != nil {
			return err
		}
		if err := d.t.mayDelete(s); err != nil {
			return err
		}
		if s.ListVersion != 0 {
			return &sale.StateError{State: s.State, Detail: "it got a list of buyers meanwhile"}
		}
		delete(d.t.Sales, id)
		return nil
	})
}

func (t *Tables) mayDelete(s *Sale) error {
	if s.State == sale.StateDraft && !t.hasStock(s.ID) {
		return nil
	}
	return &sale.StateError{State: s.State, Detail: "only a draft that was never preloaded can be deleted"}
}
