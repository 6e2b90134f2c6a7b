package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"flashsale/sale"
)

// putSale creates or changes a sale's definition. A change of an existing sale runs under its lease, so that the items
// stay the same during a preload. Redis gets the new window of a preloaded sale at once, and units that the definition
// takes back are back when it is answered.
func (a *API) putSale(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	wanted, err := decodeSale(id, c.body)
	if err != nil {
		return err
	}
	ctx, cancel := a.moving(c)
	defer cancel()
	var stored sale.Sale
	created := false
	change := func(ctx context.Context) error {
		stored, created, err = a.changedBy(ctx, &wanted)
		return err
	}
	if _, err = a.deps.Sales.Sale(ctx, id); errors.Is(err, sale.ErrNotFound) {
		err = change(ctx)
	} else if err == nil {
		err = a.underLease(ctx, id, change)
	}
	if err != nil {
		return err
	}
	a.opts.Logger.Info("sale defined", "sale", id, "created", created, "version", stored.Version)
	if created {
		c.w.Header().Set("Location", c.r.URL.EscapedPath())
		return c.answer(http.StatusCreated, stored)
	}
	return c.answer(http.StatusOK, stored)
}

func (a *API) getSale(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	s, err := a.askedSale(ctx, c)
	if err != nil {
		return err
	}
	return a.answerSale(ctx, c, &s)
}

// listSales leaves archived sales out, unless the query asks for all.
func (a *API) listSales(c *call) error {
	ctx, cancel := a.reading(c)
	defer cancel()
	all, err := c.queryArchived()
	if err != nil {
		return err
	}
	sales, err := a.deps.Sales.Sales(ctx)
	if err == nil && all {
		var archived []sale.Sale
		archived, err = a.deps.Archives.ArchivedSales(ctx)
		sales = append(sales, archived...)
		slices.SortFunc(sales, func(a, b sale.Sale) int { return cmp.Compare(a.ID, b.ID) })
		sales = slices.CompactFunc(sales, func(a, b sale.Sale) bool { return a.ID == b.ID }) // archived between the readings
	}
	if err != nil {
		return err
	}
	if sales == nil {
		sales = []sale.Sale{} // an empty list is [], never null
	}
	return c.answer(http.StatusOK, map[string][]sale.Sale{"sales": sales})
}
