package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// A load has the orders that count and those that gave their units back, because Redis still answers their keys and counts
// them for the grief rule. It has no refused order: the key of one may succeed later.
const sqlOwners = "SELECT o.bucket, o.order_id, o.buyer_id, o.idempotency_key, o.status IN ('confirmed', 'paid'), " + joinedLine +
	" FROM orders o" + joinLines +
	" WHERE o.sale_id = ? AND o.status IN ('confirmed', 'paid', 'cancelled', 'expired') AND o.bucket IN ("

const sqlWindows = "SELECT sale_id, version, state, starts_at, ends_at, per_buyer_sale_limit FROM sales WHERE sale_id = ?"

// beginning is what a rebuild changes in the database when the next epoch of buckets begins.
type beginning struct {
	loads []sale.Load
	taken [][]ledger.Taken // of each load
	never []bool           // of each load: its bucket has never sold
}

// begin moves locked buckets into their next epoch in memory. stock is all their stock rows, takes the open ones.
func begin(rows map[sale.Bucket]*ledger.Row, stock map[sale.Bucket][]*ledger.Units, takes []sale.OutboxRow) *beginning {
	b := &beginning{}
	of := map[sale.Bucket][]sale.OutboxRow{}
	for _, take := range takes {
		of[take.Bucket] = append(of[take.Bucket], take)
	}
	for _, bucket := range sale.BucketsOf(sortedRows(rows)) {
		row := rows[bucket]
		b.never = append(b.never, row.Epoch == 0)
		load, taken := row.Begin(stock[bucket], of[bucket])
		b.loads, b.taken = append(b.loads, load), append(b.taken, taken)
	}
	return b
}

// buckets returns the buckets that begin, sorted.
func (b *beginning) buckets() []sale.Bucket {
	buckets := make([]sale.Bucket, len(b.loads))
	for i := range b.loads {
		buckets[i] = b.loads[i].Bucket
	}
	return buckets
}

// removed returns what the absorbed takes remove from the stock rows.
func (b *beginning) removed() map[sale.Shelf]*ledger.Gain {
	gains := map[sale.Shelf]*ledger.Gain{}
	for _, taken := range b.taken {
		for _, t := range taken {
			if gains[t.Shelf] == nil {
				gains[t.Shelf] = &ledger.Gain{}
			}
			gains[t.Shelf].Loaded -= t.Units
		}
	}
	return gains
}

// readOwners reads the orders of the buckets into their loads. A bucket that has never sold has none.
func (b *beginning) readOwners(ctx context.Context, tx *sql.Tx) error {
	places := map[sale.Bucket]int{}
	bySale := map[string][]any{}
	var sales []string
	for i := range b.loads {
		if b.never[i] {
			continue
		}
		bucket := b.loads[i].Bucket
		places[bucket] = i
		if bySale[bucket.Sale] == nil {
			sales = append(sales, bucket.Sale)
		}
		bySale[bucket.Sale] = append(bySale[bucket.Sale], bucket.Number)
	}
	for _, id := range sales {
		if err := b.readOwnersOf(ctx, tx, id, bySale[id], places); err != nil {
			return fmt.Errorf("read the orders of %s: %w", id, err)
		}
	}
	return nil
}

func (b *beginning) readOwnersOf(ctx context.Context, tx *sql.Tx, id string, numbers []any, places map[sale.Bucket]int) error {
	items := b.itemsOf(id)
	lines := gathering{}
	query := sqlOwners + placeholders(len(numbers)) + ")"
	err := each(ctx, tx, query, append([]any{id}, numbers...), func(rows scanner) error {
		bucket := sale.Bucket{Sale: id}
		var owner sale.RecordOrder
		var counts bool
		var line lineRow
		columns := append([]any{&bucket.Number, &owner.OrderID, &owner.Buyer, &owner.Key, &counts}, line.columns()...)
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		line.UnitPriceCents, line.Number = 0, items[line.SKU] // Redis has no prices
		if owner.Lines = lines.add(owner.OrderID, &line); owner.Lines == nil {
			return nil
		}
		load := &b.loads[places[bucket]]
		if counts {
			load.Owners = append(load.Owners, owner)
		} else {
			load.Released = append(load.Released, owner)
		}
		return nil
	})
	if err == nil {
		err = lines.rest()
	}
	return err
}

// itemsOf returns the numbers of a sale's items by SKU: every bucket has all of them.
func (b *beginning) itemsOf(id string) map[string]int {
	numbers := map[string]int{}
	at := slices.IndexFunc(b.loads, func(l sale.Load) bool { return l.Sale == id })
	for _, shelf := range b.loads[at].Stock {
		numbers[shelf.SKU] = shelf.Number
	}
	return numbers
}

// readWindows reads the windows of the sales into the loads.
func (b *beginning) readWindows(ctx context.Context, tx *sql.Tx) error {
	windows := map[string]sale.Window{}
	for i := range b.loads {
		id := b.loads[i].Sale
		window, read := windows[id]
		if !read {
			var err error
			if window, err = readWindow(ctx, tx, id); err != nil {
				return fmt.Errorf("read the window of %s: %w", id, err)
			}
			windows[id] = window
		}
		b.loads[i].Window = window
	}
	return nil
}

func readWindow(ctx context.Context, tx *sql.Tx, id string) (sale.Window, error) {
	var one sale.Sale
	var starts, ends moment
	err := tx.QueryRowContext(ctx, sqlWindows, id).Scan(&one.ID, &one.Version, &one.State, &starts, &ends, &one.SaleLimit)
	one.StartsAt, one.EndsAt = starts.Time, ends.Time
	return sale.WindowOf(&one), err
}
