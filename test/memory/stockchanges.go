package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// ChangeStock adds units to a SKU of a preloaded sale, or takes unsold ones back, once for each idempotency key. It is asked
// again with the same arguments until the change is done. Another number under a key that is known is sale.ErrChangeReused, a
// number out of range a *sale.FieldError, a sale that is a draft or closed a *sale.StateError.
func (d *Database) ChangeStock(ctx context.Context, asked sale.StockChange) (sale.StockChange, error) {
	return call(ctx, d, "ChangeStock", func() (sale.StockChange, error) {
		s, err := d.t.sale(asked.Sale)
		if err != nil {
			return sale.StockChange{}, err
		}
		change, err := d.t.changeOf(s, asked)
		if err != nil {
			return sale.StockChange{}, fmt.Errorf("change the stock of %s in sale %s: %w", asked.SKU, asked.Sale, err)
		}
		d.change(s, change)
		return change.StockChange, nil
	})
}

// changeOf returns the row of a change, a new one where its key is new.
func (t *Tables) changeOf(s *Sale, asked sale.StockChange) (*ledger.Change, error) {
	item, known := s.Item(asked.SKU)
	if !known {
		return nil, sale.ErrNotFound
	}
	id := ChangeID{asked.Sale, asked.SKU, asked.Key}
	change := t.Changes[id]
	if err := ledger.MayChange(&s.Sale, &item, change, asked.Asked); err != nil || change != nil {
		return change, err
	}
	asked.Added, asked.Loaded, asked.Done = 0, 0, false
	change = &ledger.Change{StockChange: asked}
	t.Changes[id] = change
	return change, nil
}

// change writes what a change of stock asks for.
func (d *Database) change(s *Sale, change *ledger.Change) {
	before := change.Added
	buckets := s.BucketNames()
	plan := ledger.NewPlan(d.locked(buckets, true))
	plan.Change(change, buckets)
	if added := change.Added - before; added > 0 {
		s.grow(change.SKU, added)
		d.t.stampSale(s)
	}
	d.write(plan)
}

// restock brings a preloaded sale to a new definition.
func (d *Database) restock(s *Sale, wanted *sale.Sale, takes []sale.OutboxRow) {
	buckets := s.BucketNames()
	numbered := ledger.Numbered(s.Items, wanted.Items)
	for i := range numbered {
		for _, bucket := range buckets {
			if d.t.Stock[sale.Shelf{Bucket: bucket, SKU: numbered[i].SKU}] == nil {
				d.t.addShelf(&s.Sale, &numbered[i], bucket)
			}
		}
	}
	plan := ledger.NewPlan(d.locked(buckets, true))
	items := plan.Restock(buckets, &s.Sale, wanted, takes)
	s.define(wanted, items)
	d.write(plan)
}

// openTakes returns the takes of a sale that Redis has still to apply.
func (t *Tables) openTakes(id string) (takes []sale.OutboxRow) {
	for bucket, rows := range t.Outbox {
		for _, row := range rows {
			if bucket.Sale == id && row.Kind == sale.OutboxTake {
				takes = append(takes, row)
			}
		}
	}
	return takes
}

// takeBack lowers the stock of items by what takes have removed, and counts it in their changes.
func (t *Tables) takeBack(taken []ledger.Taken) {
	lowered := map[string]*Sale{}
	for _, one := range taken {
		if change := t.Changes[ChangeID{one.Sale, one.SKU, one.Change}]; change != nil {
			change.Took(one.Units)
		}
		if s := t.Sales[one.Sale]; s != nil && one.Units > 0 {
			s.grow(one.SKU, -one.Units)
			lowered[s.ID] = s
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lowered)) {
		t.stampSale(lowered[id])
	}
}

// grow changes the stock of an item.
func (s *Sale) grow(sku string, units int64) {
	s.Items = slices.Clone(s.Items) // snapshots have the slice
	for i := range s.Items {
		if s.Items[i].SKU == sku {
			s.Items[i].Stock += units
		}
	}
}
