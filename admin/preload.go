package admin

import (
	"context"
	"fmt"
	"io"

	"flashsale/sale"
)

// loadAttempts bounds how often a preload starts over because Redis changed meanwhile.
const loadAttempts = 5

// preload loads what is not loaded yet: stock rows, the list of buyers, Redis. A repeated preload finds everything
// loaded and answers the same; a second one at the same time waits for the first.
func (a *API) preload(c *call) error {
	ctx, cancel := a.moving(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	id := s.ID
	if err := loadable(s.State); err != nil {
		return err
	}
	out, release, err := a.newProgress(c)
	if err != nil {
		return err
	}
	defer release()
	err = a.underLease(ctx, id, func(ctx context.Context) error {
		s, err = a.load(ctx, id, out.report)
		return err
	})
	if err == nil {
		a.awaitGateways(ctx, id)
		a.opts.Logger.Info("sale preloaded", "sale", id, "state", s.State)
	}
	return out.finish(a, s, err)
}

func loadable(state sale.State) error {
	if state == sale.StateClosed || state == sale.StateArchived {
		return &sale.StateError{State: state, Detail: fmt.Sprintf("a sale that is %s loads no more stock", state)}
	}
	return nil
}

func (a *API) load(ctx context.Context, id string, progress func(done, total int)) (sale.Sale, error) {
	s, err := a.deps.Sales.Sale(ctx, id)
	if err != nil {
		return s, err
	}
	if err := loadable(s.State); err != nil {
		return s, err
	}
	if err := a.ensureList(ctx, &s); err != nil {
		return s, err
	}
	if err := a.loadStock(ctx, id, progress); err != nil {
		return s, err
	}
	if s.State == sale.StateDraft {
		s, err = a.deps.Sales.SetState(ctx, id, sale.StatePreloaded, sale.StateDraft)
	} else {
		s, err = a.deps.Sales.Sale(ctx, id)
	}
	if err != nil {
		return s, err
	}
	return s, a.carryWindow(ctx, &s)
}

// loadStock rebuilds rows until every row is loaded. A rebuild may end early when Redis restarts meanwhile.
func (a *API) loadStock(ctx context.Context, id string, progress func(done, total int)) error {
	var rows []sale.BucketRow
	var err error
	for range loadAttempts {
		if rows, err = a.deps.Preloads.LoadStock(ctx, id, a.opts.Partitions); err != nil {
			return fmt.Errorf("load the stock rows of sale %s: %w", id, err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err = a.deps.Stock.Rebuild(ctx, rows, progress); err != nil {
			return fmt.Errorf("load the stock of sale %s into Redis: %w", id, err)
		}
	}
	return sale.Away(sale.StoreRedis,
		fmt.Errorf("load the stock of sale %s into Redis: %d buckets are not open after %d attempts",
			id, len(rows), loadAttempts))
}

// ensureList makes Redis have the present list of a listed sale. A listed sale without a list gets an empty list, which
// excludes every buyer; version 0 would be read as a sale that is open to all. Such a sale is not opened before it has
// a real list.
func (a *API) ensureList(ctx context.Context, s *sale.Sale) error {
	if s.Eligibility != sale.EligibilityList {
		return nil
	}
	if s.ListVersion == 0 {
		none := func() (string, error) { return "", io.EOF }
		if _, err := a.deps.Sales.ReplaceBuyers(ctx, s.ID, none); err != nil {
			return fmt.Errorf("give sale %s an empty list: %w", s.ID, err)
		}
		stored, err := a.deps.Sales.Sale(ctx, s.ID)
		if err != nil {
			return err
		}
		*s = stored
	}
	has, err := a.deps.Stock.HasList(ctx, s.ID, s.ListVersion, s.ListSize)
	if err != nil || has {
		return err
	}
	each := func(add func(string) error) error { return a.deps.Preloads.EachListed(ctx, s.ID, add) }
	if err := a.deps.Stock.LoadList(ctx, s.ID, s.ListVersion, s.ListSize, each); err != nil {
		return fmt.Errorf("load the list of sale %s into Redis: %w", s.ID, err)
	}
	return nil
}
