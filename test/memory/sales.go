package memory

import (
	"context"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// PutSale creates a sale as a draft, or changes it, and returns it as it is then and whether it is new. A change that loaded
// stock does not allow is a *sale.StateError, a member out of range a *sale.FieldError.
func (d *Database) PutSale(ctx context.Context, wanted sale.Sale) (put sale.Sale, created bool, err error) {
	err = d.run(ctx, "PutSale", func() (err error) {
		put, created, err = d.putSale(wanted)
		return err
	})
	if err != nil {
		return sale.Sale{}, false, err
	}
	return put, created, nil
}

func (d *Database) putSale(wanted sale.Sale) (put sale.Sale, created bool, err error) {
	if !sale.ValidID(wanted.ID) {
		return put, false, sale.Fieldf("sale", "must match %s", sale.FormOfID)
	}
	if err := wanted.Validate(); err != nil {
		return put, false, err
	}
	present := d.t.Sales[wanted.ID]
	if present == nil {
		present = &Sale{Sale: sale.Sale{ID: wanted.ID, State: sale.StateDraft}}
		d.t.Sales[wanted.ID] = present
		present.define(&wanted, ledger.Numbered(nil, wanted.Items))
		return d.t.stampSale(present), true, nil
	}
	takes := d.t.openTakes(wanted.ID)
	pending := ledger.Pending(&present.Sale, takes)
	if present.State != sale.StateArchived && ledger.SameDefinition(pending, &wanted) {
		return present.copied(), false, nil
	}
	if present.State == sale.StateDraft && !d.t.hasStock(wanted.ID) {
		present.define(&wanted, ledger.Numbered(present.Items, wanted.Items))
		return d.t.stampSale(present), false, nil
	}
	if detail := ledger.ForbiddenChange(pending, &wanted, d.now()); detail != "" {
		return put, false, &sale.StateError{State: present.State, Detail: detail}
	}
	d.restock(present, &wanted, takes)
	return d.t.stampSale(present), false, nil
}

// define takes over what operators write of a sale.
func (s *Sale) define(wanted *sale.Sale, items []sale.Item) {
	s.Name, s.StartsAt, s.EndsAt, s.Currency = wanted.Name, wanted.StartsAt, wanted.EndsAt, wanted.Currency
	s.PerBuyerLimit, s.SaleLimit, s.PaymentTTL = wanted.PerBuyerLimit, wanted.SaleLimit, wanted.PaymentTTL
	s.Eligibility, s.Buckets, s.Items = wanted.Eligibility, wanted.Buckets, items
}

func (t *Tables) stampSale(s *Sale) sale.Sale {
	t.Version++
	s.Version = t.Version
	return s.copied()
}

func (t *Tables) hasStock(id string) bool {
	for bucket := range t.Buckets {
		if bucket.Sale == id {
			return true
		}
	}
	return false
}

// Sale returns a sale with its items in the operator's order.
func (d *Database) Sale(ctx context.Context, id string) (sale.Sale, error) {
	return call(ctx, d, "Sale", func() (sale.Sale, error) {
		s, err := d.t.sale(id)
		if err != nil {
			return sale.Sale{}, err
		}
		return s.copied(), nil
	})
}

// SaleHead returns a sale without its items.
func (d *Database) SaleHead(ctx context.Context, id string) (sale.Sale, error) {
	return call(ctx, d, "SaleHead", func() (sale.Sale, error) {
		s, err := d.t.sale(id)
		if err != nil {
			return sale.Sale{}, err
		}
		head := s.copied()
		head.Items = nil
		return head, nil
	})
}

func (t *Tables) sale(id string) (*Sale, error) {
	s := t.Sales[id]
	if s == nil {
		return nil, fmt.Errorf("sale %s: %w", id, sale.ErrNotFound)
	}
	return s, nil
}

// Sales returns every sale that is not archived, sorted by id.
func (d *Database) Sales(ctx context.Context) ([]sale.Sale, error) {
	return call(ctx, d, "Sales", func() ([]sale.Sale, error) {
		return slices.DeleteFunc(d.t.sales(), archived), nil
	})
}

// ArchivedSales returns every archived sale, sorted by id.
func (d *Database) ArchivedSales(ctx context.Context) ([]sale.Sale, error) {
	return call(ctx, d, "ArchivedSales", func() ([]sale.Sale, error) {
		return slices.DeleteFunc(d.t.sales(), func(s sale.Sale) bool { return !archived(s) }), nil
	})
}

func archived(s sale.Sale) bool { return s.State == sale.StateArchived }

// SetState moves a sale to a state from one of the states named and returns it. A sale that is in that state is returned as
// it is; in any other state the error is a *sale.StateError.
func (d *Database) SetState(ctx context.Context, id string, to sale.State, from ...sale.State) (sale.Sale, error) {
	return call(ctx, d, "SetState", func() (sale.Sale, error) {
		s, err := d.t.sale(id)
		switch {
		case err != nil:
			return sale.Sale{}, err
		case s.State == to:
			return s.copied(), nil
		case !slices.Contains(from, s.State):
			return sale.Sale{}, &sale.StateError{State: s.State, Detail: fmt.Sprintf("it becomes %s only from %v", to, from)}
		}
		s.State, s.Reason = to, ""
		return d.t.stampSale(s), nil
	})
}

// PauseSale pauses an open sale by the engine itself. A sale in another state is left as it is.
func (d *Database) PauseSale(ctx context.Context, id, reason string) error {
	return d.run(ctx, "PauseSale", func() error {
		s, err := d.t.sale(id)
		if err != nil || s.State != sale.StateOpen {
			return err
		}
		s.State, s.Reason = sale.StatePaused, cut(reason, maxClosedReason)
		d.t.stampSale(s)
		return nil
	})
}
