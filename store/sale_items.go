package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlDeleteItems = "DELETE FROM items WHERE sale_id = ?"
	sqlInsertItems = "INSERT INTO items (sale_id, sku, number, place, stock, price_cents, name, per_buyer_limit) VALUES "
)

// placedItem is an item with its index in the definition.
type placedItem struct {
	*sale.Item
	place int
}

func insertItems(ctx context.Context, tx *sql.Tx, id string, items []sale.Item) error {
	placed := make([]placedItem, len(items))
	for i := range items {
		placed[i] = placedItem{&items[i], i}
	}
	return insert(ctx, tx, sqlInsertItems, "(?,?,?,?,?,?,?,?)", placed, func(args []any, i placedItem) []any {
		var limit any // NULL: the sale's
		if i.PerBuyerLimit != nil {
			limit = *i.PerBuyerLimit
		}
		return append(args, id, i.SKU, i.Number, i.place, i.Stock, i.PriceCents, i.Name, limit)
	})
}

// replaceItems writes the items of a sale anew, unless nothing has changed.
func replaceItems(ctx context.Context, tx *sql.Tx, id string, present, items []sale.Item) error {
	same := func(a, b sale.Item) bool { return a.Same(&b) && a.Number == b.Number }
	if slices.EqualFunc(present, items, same) {
		return nil
	}
	if _, err := tx.ExecContext(ctx, sqlDeleteItems, id); err != nil {
		return err
	}
	return insertItems(ctx, tx, id, items)
}

// restock brings the stock of a preloaded sale to a new definition and returns the items as the database keeps them. Higher
// stock and new items are loaded at once, lower stock is asked back by takes. It locks the buckets only if units change.
func (s *Store) restock(ctx context.Context, tx *sql.Tx, present, wanted *sale.Sale, takes []sale.OutboxRow) ([]sale.Item,
	error) {
	numbered := ledger.Numbered(present.Items, wanted.Items)
	changed, made := restocked(ledger.Pending(present, takes).Items, numbered)
	if len(changed)+len(made) == 0 {
		return ledger.NewPlan(ledger.NewState(nil, nil, 0, true)).Restock(nil, present, wanted, takes), nil
	}
	rows, err := s.lockSaleBuckets(ctx, tx, present.ID)
	if err != nil {
		return nil, err
	}
	if err := insertStock(ctx, tx, shelvesWithout(present, rows, made)); err != nil {
		return nil, fmt.Errorf("add stock rows: %w", err)
	}
	decided, nowMS, err := s.planOn(ctx, tx, rows, changed)
	if err != nil {
		return nil, err
	}
	items := decided.Restock(bucketsOfRows(rows), present, wanted, takes)
	return items, s.writePlan(ctx, tx, nowMS, decided)
}

// restocked returns the SKUs of which units change, new ones included, and the items that are new.
func restocked(present, numbered []sale.Item) (changed []string, made []*sale.Item) {
	stock := make(map[string]int64, len(present))
	for i := range present {
		stock[present[i].SKU] = present[i].Stock
	}
	for i := range numbered {
		item := &numbered[i]
		units, old := stock[item.SKU]
		if !old {
			made = append(made, item)
		}
		if !old || units != item.Stock {
			changed = append(changed, item.SKU)
		}
	}
	return changed, made
}

// shelvesWithout returns stock rows without units for items in every bucket of a sale.
func shelvesWithout(of *sale.Sale, rows []*ledger.Row, items []*sale.Item) []stockRow {
	shelves := make([]stockRow, 0, len(rows)*len(items))
	for _, row := range rows {
		for _, item := range items {
			shelves = append(shelves, newShelf(of, item, row.Bucket, 0))
		}
	}
	return shelves
}
