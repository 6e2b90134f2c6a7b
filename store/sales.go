package store

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/sale"
)

const sqlSales = "SELECT sale_id, state, name, starts_at, ends_at, currency, per_buyer_limit, per_buyer_sale_limit, " +
	"payment_ttl_s, buckets, eligibility, reason, list_version, list_size, version, holds_frozen_since FROM sales WHERE "

const sqlItems = "SELECT sale_id, sku, number, stock, price_cents, name, per_buyer_limit FROM items " +
	"WHERE sale_id IN (SELECT sale_id FROM sales WHERE "

// Sale returns a sale with its items in the operator's order, or an error that wraps sale.ErrNotFound.
func (s *Store) Sale(ctx context.Context, id string) (sale.Sale, error) {
	found, err := readSales(ctx, s.db, "sale_id = ?", id)
	if err != nil {
		return sale.Sale{}, fmt.Errorf("read sale %s: %w", id, err)
	}
	if len(found) == 0 {
		return sale.Sale{}, fmt.Errorf("read sale %s: %w", id, sale.ErrNotFound)
	}
	return found[0], nil
}

// SaleHead returns a sale without its items, or an error that wraps sale.ErrNotFound. The items change with the version, but for
// their stock.
func (s *Store) SaleHead(ctx context.Context, id string) (sale.Sale, error) {
	head, err := scanSale(s.db.QueryRowContext(ctx, sqlSales+"sale_id = ?", id))
	if isNoRows(err) {
		err = sale.ErrNotFound
	}
	if err != nil {
		return sale.Sale{}, fmt.Errorf("read sale %s: %w", id, err)
	}
	return head, nil
}

// Sales returns every sale that is not archived, sorted by id.
func (s *Store) Sales(ctx context.Context) ([]sale.Sale, error) {
	return s.salesWhere(ctx, "state <> ?")
}

// ArchivedSales returns every archived sale, sorted by id.
func (s *Store) ArchivedSales(ctx context.Context) ([]sale.Sale, error) {
	return s.salesWhere(ctx, "state = ?")
}

func (s *Store) salesWhere(ctx context.Context, archived string) ([]sale.Sale, error) {
	found, err := readSales(ctx, s.db, archived, sale.StateArchived)
	if err != nil {
		return nil, fmt.Errorf("read sales: %w", err)
	}
	return found, nil
}

// readSales returns the sales that meet a condition on their own columns, sorted by id. It reads the items by the same
// condition instead of a list of ids, so that any number of sales takes two statements.
func readSales(ctx context.Context, q querier, condition string, args ...any) ([]sale.Sale, error) {
	var found []sale.Sale
	place := map[string]int{}
	err := each(ctx, q, sqlSales+condition+" ORDER BY sale_id", args, func(rows scanner) error {
		one, err := scanSale(rows)
		place[one.ID] = len(found)
		found = append(found, one)
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	err = each(ctx, q, sqlItems+condition+") ORDER BY sale_id, place", args, func(rows scanner) error {
		var id string
		var item sale.Item
		err := rows.Scan(&id, &item.SKU, &item.Number, &item.Stock, &item.PriceCents, &item.Name, &item.PerBuyerLimit)
		if i, read := place[id]; read { // skips a sale that was committed between the two statements
			found[i].Items = append(found[i].Items, item)
		}
		return err
	})
	return found, err
}

func scanSale(rows scanner) (sale.Sale, error) {
	var one sale.Sale
	var starts, ends moment
	var frozen nullMoment
	err := rows.Scan(&one.ID, &one.State, &one.Name, &starts, &ends, &one.Currency, &one.PerBuyerLimit, &one.SaleLimit,
		&one.PaymentTTL, &one.Buckets, &one.Eligibility, &one.Reason, &one.ListVersion, &one.ListSize, &one.Version, &frozen)
	one.StartsAt, one.EndsAt, one.HoldsFrozenSince = starts.Time, ends.Time, frozen.time
	return one, err
}

const sqlLockSale = "SELECT list_started FROM sales WHERE sale_id = ?"

// lockSale locks a sale's row until the commit and then reads the sale. It is the first lock of every transaction that changes
// a sale. It also returns the number of the newest list whose upload has begun.
func (s *Store) lockSale(ctx context.Context, tx *sql.Tx, id string) (sale.Sale, int64, error) {
	var started int64
	err := tx.QueryRowContext(ctx, sqlLockSale+s.dialect.lock, id).Scan(&started)
	if isNoRows(err) {
		return sale.Sale{}, 0, sale.ErrNotFound
	}
	if err != nil {
		return sale.Sale{}, 0, err
	}
	found, err := readSales(ctx, tx, "sale_id = ?", id)
	if err != nil {
		return sale.Sale{}, 0, err
	}
	return found[0], started, nil
}
