package store

import (
	"context"
	"database/sql"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// A load has the orders that count and those that gave their units back, because Redis still answers their keys and counts
// them for the grief rule. It has no refused order: the key of one may succeed later.
const sqlOwners = "SELECT sku, bucket, order_id, quantity, buyer_id, idempotency_key, status IN ('confirmed', 'paid') " +
	"FROM orders WHERE sale_id = ? AND status IN ('confirmed', 'paid', 'cancelled', 'expired') AND sku IN ("

const sqlWindows = "SELECT sale_id, version, state, starts_at, ends_at, per_buyer_limit FROM sales WHERE sale_id = ?"

// readLoads reads the loads of locked stock rows: available units, buyers and window. The rows of the answer have the next
// epoch.
func readLoads(ctx context.Context, tx *sql.Tx, rows map[sale.Bucket]*ledger.Row) ([]sale.Load, error) {
	loads := make([]sale.Load, 0, len(rows))
	bySale := map[string][]string{} // SKUs that may have owners
	place := make(map[sale.Bucket]int, len(rows))
	for _, key := range bucketsOf(sortedRows(rows)) {
		row := rows[key]
		never := row.Epoch == 0
		load := row.Begin()
		if skus := bySale[row.Sale]; never { // never sold: it has no owners
			bySale[row.Sale] = skus
		} else if len(skus) == 0 || skus[len(skus)-1] != row.SKU {
			bySale[row.Sale] = append(skus, row.SKU)
		}
		place[row.Bucket] = len(loads)
		loads = append(loads, load)
	}
	for id, skus := range bySale {
		window, err := readWindow(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		for i := range loads {
			if loads[i].Sale == id {
				loads[i].Window = window
			}
		}
		if err := readOwners(ctx, tx, id, skus, place, loads); err != nil {
			return nil, err
		}
	}
	return loads, nil
}

func readWindow(ctx context.Context, tx *sql.Tx, id string) (sale.Window, error) {
	var one sale.Sale
	var starts, ends moment
	err := tx.QueryRowContext(ctx, sqlWindows, id).Scan(&one.ID, &one.Version, &one.State, &starts, &ends, &one.PerBuyerLimit)
	one.StartsAt, one.EndsAt = starts.Time, ends.Time
	return sale.WindowOf(&one), err
}

func readOwners(ctx context.Context, tx *sql.Tx, id string, skus []string, place map[sale.Bucket]int, loads []sale.Load) error {
	for chunk := range slices.Chunk(skus, maxTerms) {
		args := []any{id}
		for _, sku := range chunk {
			args = append(args, sku)
		}
		err := each(ctx, tx, sqlOwners+placeholders(len(chunk))+")", args, func(rows scanner) error {
			bucket := sale.Bucket{Sale: id}
			var owner sale.RecordOrder
			var counts bool
			err := rows.Scan(&bucket.SKU, &bucket.Number, &owner.OrderID, &owner.Quantity, &owner.Buyer, &owner.Key, &counts)
			switch i, wanted := place[bucket]; {
			case wanted && counts:
				loads[i].Owners = append(loads[i].Owners, owner)
			case wanted:
				loads[i].Released = append(loads[i].Released, owner)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
