package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"flashsale/sale"
)

// paidSlots is the number of rows that share the payments of a SKU.
const paidSlots = 16

const (
	sqlAddPaid = "UPDATE paid_units%s SET units = units + ?, orders = orders + ?, " +
		"paid_at = CASE WHEN paid_at > ? THEN paid_at ELSE ? END WHERE sale_id = ? AND sku = ? AND slot = ?"
	sqlInsertPaid = "INSERT INTO paid_units (sale_id, sku, slot, units, orders, paid_at) VALUES (?, ?, ?, ?, ?, ?)"
	sqlPaidUnits  = "SELECT sku, SUM(units), SUM(orders), MAX(paid_at) FROM paid_units WHERE sale_id = ? " +
		"GROUP BY sku ORDER BY sku"
)

// shelfOfPaid is the primary key of paid_units.
type shelfOfPaid struct {
	sale, sku string
	slot      int64
}

func comparePaidKeys(a, b shelfOfPaid) int {
	return cmp.Or(cmp.Compare(a.sale, b.sale), cmp.Compare(a.sku, b.sku), cmp.Compare(a.slot, b.slot))
}

// gainOfPaid is what a transaction adds to a row of paid_units.
type gainOfPaid struct{ units, orders int64 }

// countPaid adds orders that this transaction has paid to the units of their SKUs. It takes the rows in the order of their keys,
// after the rows of the orders. The first payment of a slot inserts the row; when another transaction has inserted it
// meanwhile, the transaction starts over.
func (s *Store) countPaid(ctx context.Context, tx *sql.Tx, nowMS int64, paid []sale.Order) error {
	gains := map[shelfOfPaid]gainOfPaid{}
	for i := range paid {
		s.statuses.note(tx, paid[i].Sale, sale.StatusPaid, 1)
		for _, line := range paid[i].Lines {
			key := shelfOfPaid{paid[i].Sale, line.SKU, int64(paid[i].OrderID) % paidSlots}
			gain := gains[key]
			gains[key] = gainOfPaid{gain.units + int64(line.Quantity), gain.orders + 1}
		}
	}
	add, now := fmt.Sprintf(sqlAddPaid, s.dialect.forced), datetime(nowMS)
	for _, key := range slices.SortedFunc(maps.Keys(gains), comparePaidKeys) {
		gain := gains[key]
		result, err := tx.ExecContext(ctx, add, gain.units, gain.orders, now, now, key.sale, key.sku, key.slot)
		if err != nil {
			return fmt.Errorf("count paid units: %w", err)
		}
		changed, err := result.RowsAffected()
		if err == nil && changed == 0 {
			_, err = tx.ExecContext(ctx, sqlInsertPaid, key.sale, key.sku, key.slot, gain.units, gain.orders, now)
			if s.dialect.fault(err) == faultDuplicate {
				err = errors.Join(errStartOver, err)
			}
		}
		if err != nil {
			return fmt.Errorf("count paid units: %w", err)
		}
	}
	return nil
}

// PaidUnits returns the units of a sale that are paid, by SKU in their order. A SKU without a payment is not in the answer.
//
// Units settled less released less paid, of one SKU over all buckets, are the unpaid ones. They are never negative when the
// counters of the stock are read after the paid units: a payment needs a settled order that was not released.
func (s *Store) PaidUnits(ctx context.Context, saleID string) ([]sale.PaidUnits, error) {
	var all []sale.PaidUnits
	err := each(ctx, s.db, sqlPaidUnits, []any{saleID}, func(rows scanner) error {
		var one sale.PaidUnits
		var last moment
		err := rows.Scan(&one.SKU, &one.Units, &one.Orders, &last)
		one.LastAt = last.Time
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the paid units of %s: %w", saleID, err)
	}
	return all, nil
}
