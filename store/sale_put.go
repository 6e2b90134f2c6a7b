package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const sqlInsertSale = "INSERT INTO sales (sale_id, state, name, starts_at, ends_at, currency, per_buyer_limit, " +
	"payment_ttl_s, eligibility, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"

const sqlUpdateSale = "UPDATE sales SET name = ?, starts_at = ?, ends_at = ?, currency = ?, per_buyer_limit = ?, " +
	"payment_ttl_s = ?, eligibility = ? WHERE sale_id = ?"

const sqlStampSale = "UPDATE sales SET version = ? WHERE sale_id = ?"

const sqlDeleteItems = "DELETE FROM items WHERE sale_id = ?"

const sqlInsertItems = "INSERT INTO items (sale_id, sku, place, stock, price_cents, buckets) VALUES "

const sqlHasStock = "SELECT COUNT(*) FROM (SELECT 1 AS present FROM stock WHERE sale_id = ? LIMIT 1) AS rows_present"

// PutSale creates a sale as a draft, or changes it. It returns the sale and whether it is new. After the first preload only
// name, ends_at, starts_at before the start, and a raise of stock may change; after the close only the name. For any other
// change the error is a *sale.StateError, for a member out of range a *sale.FieldError, and PutSale then changes nothing. An
// unchanged sale keeps its version.
func (s *Store) PutSale(ctx context.Context, wanted sale.Sale) (put sale.Sale, created bool, err error) {
	if !sale.ValidID(wanted.ID) {
		return sale.Sale{}, false, sale.Fieldf("sale", "must match [a-z0-9][a-z0-9_-]{0,63}")
	}
	if err := wanted.Validate(); err != nil {
		return sale.Sale{}, false, err
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, wanted.ID)
		created = errors.Is(err, sale.ErrNotFound)
		switch {
		case created:
			put, err = s.createSale(ctx, tx, wanted)
		case err == nil:
			put, err = s.changeSale(ctx, tx, present, wanted)
		}
		return err
	})
	if err != nil {
		return sale.Sale{}, false, fmt.Errorf("put sale %s: %w", wanted.ID, err)
	}
	faults.Point("store.sale-put")
	return put, created, nil
}

func (s *Store) createSale(ctx context.Context, tx *sql.Tx, wanted sale.Sale) (sale.Sale, error) {
	_, err := tx.ExecContext(ctx, sqlInsertSale, wanted.ID, sale.StateDraft, wanted.Name, moment{wanted.StartsAt},
		moment{wanted.EndsAt}, wanted.Currency, wanted.PerBuyerLimit, wanted.PaymentTTL, wanted.Eligibility)
	if s.dialect.fault(err) == faultDuplicate {
		return sale.Sale{}, errors.Join(errStartOver, err) // another process created it since lockSale
	}
	if err != nil {
		return sale.Sale{}, err
	}
	if err := insertItems(ctx, tx, wanted.ID, wanted.Items); err != nil {
		return sale.Sale{}, err
	}
	return stampSale(ctx, tx, wanted.ID)
}

func (s *Store) changeSale(ctx context.Context, tx *sql.Tx, present, wanted sale.Sale) (sale.Sale, error) {
	if ledger.SameDefinition(&present, &wanted) {
		return present, nil
	}
	if err := s.mayChange(ctx, tx, &present, &wanted); err != nil {
		return sale.Sale{}, err
	}
	_, err := tx.ExecContext(ctx, sqlUpdateSale, wanted.Name, moment{wanted.StartsAt}, moment{wanted.EndsAt},
		wanted.Currency, wanted.PerBuyerLimit, wanted.PaymentTTL, wanted.Eligibility, wanted.ID)
	if err != nil {
		return sale.Sale{}, err
	}
	if !slices.Equal(present.Items, wanted.Items) {
		if _, err := tx.ExecContext(ctx, sqlDeleteItems, wanted.ID); err != nil {
			return sale.Sale{}, err
		}
		if err := insertItems(ctx, tx, wanted.ID, wanted.Items); err != nil {
			return sale.Sale{}, err
		}
	}
	return stampSale(ctx, tx, wanted.ID)
}

// stampSale gives a changed sale its catalogue version and returns it.
func stampSale(ctx context.Context, tx *sql.Tx, id string) (sale.Sale, error) {
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return sale.Sale{}, err
	}
	if _, err := tx.ExecContext(ctx, sqlStampSale, version, id); err != nil {
		return sale.Sale{}, err
	}
	found, err := readSales(ctx, tx, "sale_id = ?", id)
	if err != nil {
		return sale.Sale{}, err
	}
	return found[0], nil
}

func insertItems(ctx context.Context, tx *sql.Tx, id string, items []sale.Item) error {
	place := 0
	for chunk := range slices.Chunk(items, maxRows) {
		args := make([]any, 0, 6*len(chunk))
		for _, item := range chunk {
			args = append(args, id, item.SKU, place, item.Stock, item.PriceCents, item.Buckets)
			place++
		}
		statement := repeated(sqlInsertItems, "(?,?,?,?,?,?)", ",", len(chunk), "")
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// mayChange refuses a change that would contradict loaded stock. A draft whose preload died counts as preloaded, because its
// stock rows have the old terms already.
func (s *Store) mayChange(ctx context.Context, tx *sql.Tx, present, wanted *sale.Sale) error {
	if present.State == sale.StateDraft {
		var loaded int
		if err := tx.QueryRowContext(ctx, sqlHasStock, present.ID).Scan(&loaded); err != nil {
			return err
		}
		if loaded == 0 {
			return nil
		}
	}
	var now moment
	if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now); err != nil {
		return err
	}
	if detail := ledger.ForbiddenChange(present, wanted, now.Time.Time); detail != "" {
		return &sale.StateError{State: present.State, Detail: detail}
	}
	return nil
}
