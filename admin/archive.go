package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"flashsale/faults"
	"flashsale/sale"
)

// archivedAnswer is a sale that is archived.
type archivedAnswer struct {
	sale.Sale
	ArchivedAt sale.Time        `json:"archived_at"`
	Books      []sale.FinalBook `json:"books"`
}

// deletedAnswer is a draft that was deleted.
type deletedAnswer struct {
	Sale    string `json:"sale"`
	Deleted bool   `json:"deleted"`
}

// archiveSale ends the data of a sale: a draft that was never preloaded is deleted, a closed sale at rest is archived. All checks
// come before the first write. A repeated request finishes what an earlier one has left, and is answered the same.
func (a *API) archiveSale(c *call) error {
	ctx, cancel := a.moving(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	id := s.ID
	if err := endable(s.State); err != nil {
		return err
	}
	err = a.underLease(ctx, id, func(ctx context.Context) error {
		if s, err = a.deps.Sales.Sale(ctx, id); err != nil {
			return err
		}
		return a.end(ctx, &s)
	})
	if err != nil {
		return err
	}
	if s.State == sale.StateDraft {
		a.opts.Logger.Info("draft deleted", "sale", id)
		return c.answer(http.StatusOK, deletedAnswer{id, true})
	}
	a.awaitGateways(ctx, id)
	a.opts.Logger.Info("sale archived", "sale", id, "was", s.State)
	if s, err = a.deps.Sales.Sale(ctx, id); err != nil {
		return err
	}
	return a.answerSale(ctx, c, &s)
}

func endable(state sale.State) error {
	switch state {
	case sale.StateDraft, sale.StateClosed, sale.StateArchived:
		return nil
	}
	return &sale.StateError{State: state, Detail: fmt.Sprintf("archive is not possible: the sale is %s; close it first", state)}
}

// end deletes or archives a sale under its lease.
func (a *API) end(ctx context.Context, s *sale.Sale) error {
	if err := endable(s.State); err != nil {
		return err
	}
	if s.State == sale.StateDraft {
		return a.endDraft(ctx, s)
	}
	archive, err := a.archived(ctx, s)
	if err != nil || archive.Dropped {
		return err
	}
	faults.Point("admin.sale-archived")
	if err := a.deps.Archiver.Drop(ctx, &archive); err != nil {
		return fmt.Errorf("drop archived sale %s: %w", s.ID, err)
	}
	return nil
}

// endDraft deletes a draft. One with stock rows was half preloaded, and Redis may have units of it.
func (a *API) endDraft(ctx context.Context, s *sale.Sale) error {
	books, err := a.deps.Preloads.SaleCounters(ctx, s.ID)
	if err != nil {
		return err
	}
	if len(books) > 0 {
		return &sale.StateError{State: s.State,
			Detail: "archive is not possible: the draft has stock from a preload that did not finish; preload it and close " +
				"it first"}
	}
	return a.deps.Archiver.DropDraft(ctx, s.ID)
}

// archived returns the archive of a sale, which it makes of a closed sale at rest.
func (a *API) archived(ctx context.Context, s *sale.Sale) (sale.Archive, error) {
	if s.State == sale.StateArchived {
		return a.deps.Archives.Archive(ctx, s.ID)
	}
	if err := a.carryWindow(ctx, s); err != nil { // from here on no call takes units, whatever a gateway knows
		return sale.Archive{}, err
	}
	judged, err := a.judge(ctx, s)
	if err != nil {
		return sale.Archive{}, err
	}
	return a.deps.Archives.ArchiveSale(ctx, s.ID, judged)
}

// judge returns the books of a closed sale that is at rest. It reads the database first and Redis second, as an audit does.
func (a *API) judge(ctx context.Context, s *sale.Sale) ([]sale.StockCounters, error) {
	unrest, err := a.deps.Archives.Unrest(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	pairs, err := readPairs(ctx, a.deps.Preloads, a.deps.Stock, s.ID)
	if err != nil {
		return nil, err
	}
	books := make([]sale.StockCounters, len(pairs))
	positions := make([]position, len(pairs))
	for i := range pairs {
		p := &pairs[i]
		books[i] = *p.books
		positions[i], _ = p.position(nil)
		if !p.fits || p.books.State != sale.BucketOpen {
			unrest.Buckets++
		}
		unrest.Journaled += p.seen.JournalOrders
	}
	groups := bySKU(s, positions)
	for i := range groups {
		total := groups[i].total()
		for _, p := range groups[i].places {
			unrest.InFlight += abs(p.units.InFlight)
		}
		if groups[i].coherent() && !total.Holds() { // without coherence the numbers prove nothing
			unrest.SKUs++
		}
	}
	if unrest != (sale.Unrest{}) {
		return nil, &sale.UnrestError{Unrest: unrest}
	}
	return books, nil
}

// abs keeps units that are too many in one bucket from hiding those that are in flight in another.
func abs(units int64) int64 { return max(units, -units) }

// answerSale answers with a sale, an archived one with its books.
func (a *API) answerSale(ctx context.Context, c *call, s *sale.Sale) error {
	if s.State != sale.StateArchived {
		return c.answer(http.StatusOK, s)
	}
	archive, err := a.deps.Archives.Archive(ctx, s.ID)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, archivedAnswer{Sale: *s, ArchivedAt: archive.ArchivedAt, Books: archive.Books})
}

// queryArchived reads ?archived=true of the list of sales.
func (c *call) queryArchived() (all bool, err error) {
	const field = "archived"
	values, given := c.r.URL.Query()[field]
	if !given {
		return false, nil
	}
	if all, err = strconv.ParseBool(values[0]); err != nil || len(values) > 1 || values[0] != strconv.FormatBool(all) {
		return false, sale.Fieldf(field, "must be true or false")
	}
	return all, nil
}
