package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlChange = "SELECT asked, added, open_rows, loaded, done FROM stock_changes WHERE sale_id = ? AND sku = ? AND change_key = ?"

	sqlInsertChange = "INSERT INTO stock_changes (asked, added, open_rows, loaded, done, sale_id, sku, change_key) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	sqlUpdateChange = "UPDATE stock_changes SET asked = ?, added = ?, open_rows = ?, loaded = ?, done = ? " +
		"WHERE sale_id = ? AND sku = ? AND change_key = ?"
	sqlTook = "UPDATE stock_changes SET open_rows = open_rows - ?, added = added - ? " +
		"WHERE sale_id = ? AND sku = ? AND change_key = ?"

	sqlGrowItem  = "UPDATE items SET stock = stock + ? WHERE sale_id = ? AND sku = ?"
	sqlItemStock = "SELECT sku, stock FROM items WHERE "
	inItems      = "(sale_id = ? AND sku IN ("
)

// ChangeStock adds units to a SKU of a preloaded sale, or takes unsold ones back, exactly once for each idempotency key. It
// loads units to add at once; the outbox brings them to Redis. It asks for units to take back by takes of the outbox, and the
// caller repeats the call with the same arguments until the change is done: if a take found less than it asked while other
// buckets may have units, the next call asks for the rest.
//
// The error wraps sale.ErrNotFound for an unknown sale or SKU and sale.ErrChangeReused if the key belongs to another number of
// units. It is a *sale.StateError for a draft or a closed sale, and a *sale.FieldError for a number out of range.
func (s *Store) ChangeStock(ctx context.Context, asked sale.StockChange) (sale.StockChange, error) {
	var changed sale.StockChange
	err := s.transact(ctx, func(tx *sql.Tx) error {
		change, err := s.changeStock(ctx, tx, asked)
		if err == nil {
			changed = change.StockChange
		}
		faults.Point("store.stock-change-written")
		return err
	})
	if err != nil {
		return sale.StockChange{}, fmt.Errorf("change the stock of %s in sale %s: %w", asked.SKU, asked.Sale, err)
	}
	faults.Point("store.stock-changed")
	return changed, nil
}

func (s *Store) changeStock(ctx context.Context, tx *sql.Tx, asked sale.StockChange) (*ledger.Change, error) {
	present, _, err := s.lockSale(ctx, tx, asked.Sale)
	if err != nil {
		return nil, err
	}
	item, known := present.Item(asked.SKU)
	if !known {
		return nil, fmt.Errorf("SKU %s: %w", asked.SKU, sale.ErrNotFound)
	}
	change, err := readChange(ctx, tx, asked)
	if err != nil {
		return nil, err
	}
	if err := ledger.MayChange(&present, &item, change, asked.Asked); err != nil {
		return nil, err
	}
	begun := change != nil
	switch {
	case !begun:
		asked.Added, asked.Loaded, asked.Done = 0, 0, false
		change = &ledger.Change{StockChange: asked}
	case change.Done:
		return change, nil
	}
	before := change.Added
	if err := s.planChange(ctx, tx, change); err != nil {
		return nil, err
	}
	err = writeChange(ctx, tx, change, begun)
	switch {
	case err != nil:
		return nil, err
	case !begun && change.OpenRows > 0:
		return change, s.note(ctx, tx, sale.TakeNote(&item, asked.Asked, asked.Sale))
	case change.Added == before:
		return change, nil
	}
	if _, err := tx.ExecContext(ctx, sqlGrowItem, change.Added-before, asked.Sale, asked.SKU); err != nil {
		return nil, err
	}
	if err := stampSaleRow(ctx, tx, asked.Sale); err != nil {
		return nil, err
	}
	return change, s.note(ctx, tx, sale.StockNote(&item, change.Added-before, asked.Sale))
}

// readChange returns the row of a change, nil if there is none.
func readChange(ctx context.Context, tx *sql.Tx, asked sale.StockChange) (*ledger.Change, error) {
	change := &ledger.Change{StockChange: sale.StockChange{Sale: asked.Sale, SKU: asked.SKU, Key: asked.Key}}
	err := tx.QueryRowContext(ctx, sqlChange, asked.Sale, asked.SKU, asked.Key).
		Scan(&change.Asked, &change.Added, &change.OpenRows, &change.Loaded, &change.Done)
	if isNoRows(err) {
		return nil, nil
	}
	return change, err
}

func writeChange(ctx context.Context, tx *sql.Tx, c *ledger.Change, begun bool) error {
	statement := sqlInsertChange
	if begun {
		statement = sqlUpdateChange
	}
	_, err := tx.ExecContext(ctx, statement, c.Asked, c.Added, c.OpenRows, c.Loaded, c.Done, c.Sale, c.SKU, c.Key)
	return err
}

// planChange decides what a change does now, and writes it.
func (s *Store) planChange(ctx context.Context, tx *sql.Tx, change *ledger.Change) error {
	rows, err := s.lockSaleBuckets(ctx, tx, change.Sale)
	if err != nil {
		return err
	}
	buckets := bucketsOfRows(rows)
	decided, nowMS, err := s.planOn(ctx, tx, rows, []string{change.SKU})
	if err != nil {
		return err
	}
	decided.Change(change, buckets)
	return s.writePlan(ctx, tx, nowMS, decided)
}

// planOn begins a plan about some SKUs in locked buckets. The error wraps sale.ErrNotFound if a bucket does not have one.
func (s *Store) planOn(ctx context.Context, tx *sql.Tx, rows []*ledger.Row, skus []string) (*ledger.Plan, int64, error) {
	var nowMS int64
	if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.nowMS).Scan(&nowMS); err != nil {
		return nil, 0, err
	}
	shelves := shelvesIn(bucketsOfRows(rows), skus)
	stock, err := s.readStock(ctx, tx, shelves)
	if err != nil {
		return nil, 0, fmt.Errorf("read stock rows: %w", err)
	}
	for _, shelf := range shelves {
		if stock[shelf] == nil {
			return nil, 0, fmt.Errorf("stock row of %s: %w", shelf, sale.ErrNotFound)
		}
	}
	return ledger.NewPlan(ledger.NewState(byBucket(rows), stock, nowMS, true)), nowMS, nil
}

// takeBack lowers the stock of items by what takes have removed, counts it in their changes and writes it into the trail. Their
// sales get the next versions of the catalogue. The rows of the sales are locked.
func (s *Store) takeBack(ctx context.Context, tx *sql.Tx, taken []ledger.Taken) error {
	removed := map[string]map[string]int64{} // units by sale and SKU
	for _, t := range taken {
		if t.Change != "" {
			if _, err := tx.ExecContext(ctx, sqlTook, 1, t.Units, t.Sale, t.SKU, t.Change); err != nil {
				return fmt.Errorf("count what change %q took: %w", t.Change, err)
			}
		}
		if t.Units > 0 {
			if removed[t.Sale] == nil {
				removed[t.Sale] = map[string]int64{}
			}
			removed[t.Sale][t.SKU] += t.Units
		}
	}
	for _, id := range slices.Sorted(maps.Keys(removed)) {
		if err := s.lowerItems(ctx, tx, id, removed[id]); err != nil {
			return err
		}
	}
	return nil
}

// lowerItems lowers the stock of items of a sale.
func (s *Store) lowerItems(ctx context.Context, tx *sql.Tx, id string, units map[string]int64) error {
	skus := slices.Sorted(maps.Keys(units))
	wanted := rowsWanted{key: []any{id}}
	for _, sku := range skus {
		wanted.values = append(wanted.values, sku)
	}
	stock := map[string]int64{}
	err := eachWhere(inItems, []rowsWanted{wanted}, func(where string, args []any) error {
		return each(ctx, tx, sqlItemStock+where, args, func(rows scanner) error {
			var sku string
			var present int64
			err := rows.Scan(&sku, &present)
			stock[sku] = present
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("read the stock of items of %s: %w", id, err)
	}
	for _, sku := range skus {
		if _, err := tx.ExecContext(ctx, sqlGrowItem, -units[sku], id, sku); err != nil {
			return fmt.Errorf("lower the stock of %s in %s: %w", sku, id, err)
		}
	}
	if err := stampSaleRow(ctx, tx, id); err != nil {
		return err
	}
	return s.note(ctx, tx, sale.TakenNote(id, stock, units))
}
