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
	"per_buyer_sale_limit, payment_ttl_s, buckets, eligibility, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"

const sqlUpdateSale = "UPDATE sales SET name = ?, starts_at = ?, ends_at = ?, currency = ?, per_buyer_limit = ?, " +
	"per_buyer_sale_limit = ?, payment_ttl_s = ?, buckets = ?, eligibility = ? WHERE sale_id = ?"

const sqlStampSale = "UPDATE sales SET version = ? WHERE sale_id = ?"

const sqlHasBuckets = "SELECT COUNT(*) FROM buckets WHERE sale_id = ?"

// PutSale creates a sale as a draft, or changes it. It returns the sale and whether it is new. What may change after the first
// preload is decided by ledger.ForbiddenChange. A raised stock and new items are then loaded in the same transaction, and the
// outbox brings them to Redis; a lowered stock is asked back by the outbox, and the stock of the item falls when Redis has given
// the units. For a change that is not allowed the error is a *sale.StateError, for members out of range sale.FieldErrors, and
// PutSale then changes nothing. An unchanged sale keeps its version.
func (s *Store) PutSale(ctx context.Context, wanted sale.Sale) (put sale.Sale, created bool, err error) {
	if !sale.ValidID(wanted.ID) {
		return sale.Sale{}, false, sale.Fieldf("sale", "must match %s", sale.FormOfID)
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
		moment{wanted.EndsAt}, wanted.Currency, wanted.PerBuyerLimit, wanted.SaleLimit, wanted.PaymentTTL, wanted.Buckets,
		wanted.Eligibility)
	if s.dialect.fault(err) == faultDuplicate {
		return sale.Sale{}, errors.Join(errStartOver, err) // another process created it since lockSale
	}
	if err != nil {
		return sale.Sale{}, err
	}
	if err := insertItems(ctx, tx, wanted.ID, ledger.Numbered(nil, wanted.Items)); err != nil {
		return sale.Sale{}, err
	}
	return s.stampPut(ctx, tx, nil, &wanted)
}

// stampPut gives a sale that was put its catalogue version, writes the change into the trail and returns the sale. The entry has
// the stock that is wanted, also where Redis has yet to give the units back.
func (s *Store) stampPut(ctx context.Context, tx *sql.Tx, before, wanted *sale.Sale) (sale.Sale, error) {
	put, err := stampSale(ctx, tx, wanted.ID)
	if err != nil {
		return sale.Sale{}, err
	}
	stock := make(map[string]int64, len(wanted.Items))
	for i := range wanted.Items {
		stock[wanted.Items[i].SKU] = wanted.Items[i].Stock
	}
	after := put
	after.Items = slices.Clone(put.Items)
	for i := range after.Items {
		after.Items[i].Stock = stock[after.Items[i].SKU]
	}
	return put, s.note(ctx, tx, sale.DefinitionChange(before, &after))
}

func (s *Store) changeSale(ctx context.Context, tx *sql.Tx, present, wanted sale.Sale) (sale.Sale, error) {
	takes, err := readTakes(ctx, tx, takesOfSale, []rowsWanted{{values: []any{present.ID}}})
	if err != nil {
		return sale.Sale{}, err
	}
	pending := ledger.Pending(&present, takes)
	if present.State != sale.StateArchived && ledger.SameDefinition(pending, &wanted) {
		return present, nil
	}
	items := ledger.Numbered(present.Items, wanted.Items)
	preloaded, err := isPreloaded(ctx, tx, &present)
	if err == nil && preloaded {
		if err = s.mayChange(ctx, tx, pending, &wanted); err == nil {
			items, err = s.restock(ctx, tx, &present, &wanted, takes)
		}
	}
	if err != nil {
		return sale.Sale{}, err
	}
	_, err = tx.ExecContext(ctx, sqlUpdateSale, wanted.Name, moment{wanted.StartsAt}, moment{wanted.EndsAt},
		wanted.Currency, wanted.PerBuyerLimit, wanted.SaleLimit, wanted.PaymentTTL, wanted.Buckets, wanted.Eligibility, wanted.ID)
	if err != nil {
		return sale.Sale{}, err
	}
	if err := replaceItems(ctx, tx, wanted.ID, present.Items, items); err != nil {
		return sale.Sale{}, err
	}
	return s.stampPut(ctx, tx, pending, &wanted)
}

// isPreloaded reports whether a sale has buckets. A draft whose preload died counts as preloaded, because its rows have the old
// terms already.
func isPreloaded(ctx context.Context, tx *sql.Tx, present *sale.Sale) (bool, error) {
	if present.State != sale.StateDraft {
		return true, nil
	}
	var buckets int
	err := tx.QueryRowContext(ctx, sqlHasBuckets, present.ID).Scan(&buckets)
	return buckets > 0, err
}

// mayChange refuses a change that would contradict loaded stock.
func (s *Store) mayChange(ctx context.Context, tx *sql.Tx, present, wanted *sale.Sale) error {
	var now moment
	if err := tx.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now); err != nil {
		return err
	}
	if detail := ledger.ForbiddenChange(present, wanted, now.Time.Time); detail != "" {
		return &sale.StateError{State: present.State, Detail: detail}
	}
	return nil
}

// stampSaleRow gives a changed sale its catalogue version.
func stampSaleRow(ctx context.Context, tx *sql.Tx, id string) error {
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, sqlStampSale, version, id)
	return err
}

// stampSale gives a changed sale its catalogue version and returns it.
func stampSale(ctx context.Context, tx *sql.Tx, id string) (sale.Sale, error) {
	if err := stampSaleRow(ctx, tx, id); err != nil {
		return sale.Sale{}, err
	}
	found, err := readSales(ctx, tx, "sale_id = ?", id)
	if err != nil {
		return sale.Sale{}, err
	}
	return found[0], nil
}
