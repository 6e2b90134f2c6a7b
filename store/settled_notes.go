package store

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/ledger"
	"flashsale/sale"
)

// filterPage is the rows that a settlement reads into a filter that is not complete, which takes about as long as the rest of a
// transaction of a thousand orders. While a filter is not complete, settlement reads the orders of all buyers, so many small
// pages would cost more altogether than few large ones.
const filterPage = 20_000

const (
	sqlCountOrders  = "SELECT bucket, orders FROM buckets WHERE sale_id = ?"
	sqlOrdersBuyers = "SELECT buyer_id FROM orders%s WHERE sale_id = ? AND buyer_id > ? ORDER BY buyer_id LIMIT ?"
)

// notes is what one run of a settlement notes in the filters when it has committed.
type notes struct {
	filters map[string]*saleBuyers // by sale: the ones to which the run has added its buyers
	raises  []raise
}

// raise is the orders of a bucket before and after a settlement.
type raise struct {
	sale.Bucket
	before, after int64
}

// planned notes what a plan does to locked rows.
func (n *notes) planned(moves map[sale.Bucket]*ledger.Move, rows map[sale.Bucket]*ledger.Row) {
	for bucket, move := range moves {
		if after := rows[bucket].Orders; move.Orders > 0 {
			n.raises = append(n.raises, raise{bucket, after - move.Orders, after})
		}
	}
}

// committed is called when the commit is known.
func (n *notes) committed() {
	for _, r := range n.raises {
		n.filters[r.Sale].raise(r.Number, r.before, r.after)
	}
}

func (n *notes) filter(all *settledBuyers, id string) *saleBuyers {
	filter := n.filters[id]
	if filter == nil {
		if n.filters == nil {
			n.filters = map[string]*saleBuyers{}
		}
		filter = all.of(id)
		n.filters[id] = filter
	}
	return filter
}

// possibleOwners returns the buyers of batches who may have orders, sorted. The rows of the batches' buckets are locked.
func (s *Store) possibleOwners(
	ctx context.Context, tx *sql.Tx, rows map[sale.Bucket]*ledger.Row, batches []*sale.Batch, noted *notes,
) ([]ledger.Owner, error) {
	var owners []ledger.Owner
	filling := map[string]bool{} // sales
	for _, batch := range batches {
		filter := noted.filter(&s.settled, batch.Sale)
		orders := rows[batch.Bucket].Orders
		possible, standing := filter.admit(batch.Number, orders, func(yield func(string) bool) {
			for i := range batch.Orders {
				if !yield(batch.Orders[i].Buyer) {
					return
				}
			}
		})
		for _, buyer := range possible {
			owners = append(owners, ledger.Owner{Sale: batch.Sale, Buyer: buyer})
		}
		if standing == filterBehind {
			if err := beginFilter(ctx, tx, batch.Sale, filter); err != nil {
				return nil, err
			}
		}
		if standing == filterBehind || standing == filterPartial {
			filling[batch.Sale] = true
		}
	}
	for id := range filling {
		if err := s.fillFilter(ctx, tx, id, noted.filters[id]); err != nil {
			return nil, err
		}
	}
	return ledger.SortOwners(owners), nil
}

// beginFilter begins to fill a filter with the buyers of a sale. The filter counts the orders that the buckets have now, and
// every page is read later, so the pages have all of these orders.
func beginFilter(ctx context.Context, tx *sql.Tx, id string, filter *saleBuyers) error {
	counts := map[int]int64{}
	err := each(ctx, tx, sqlCountOrders, []any{id}, func(rows scanner) error {
		var bucket int
		var orders int64
		err := rows.Scan(&bucket, &orders)
		counts[bucket] = orders
		return err
	})
	if err != nil {
		return fmt.Errorf("count the orders of %s: %w", id, err)
	}
	filter.begin(counts)
	return nil
}

// fillFilter reads the next page of buyers into a filter.
func (s *Store) fillFilter(ctx context.Context, tx *sql.Tx, id string, filter *saleBuyers) error {
	filling, cursor := filter.next()
	var page []string
	var buyer sql.RawBytes
	query := fmt.Sprintf(sqlOrdersBuyers, s.dialect.byBuyer)
	err := each(ctx, tx, query, []any{id, cursor, s.filterPage}, func(row scanner) error {
		err := row.Scan(&buyer)
		page = append(page, string(buyer))
		return err
	})
	if err != nil {
		return fmt.Errorf("read the buyers of %s: %w", id, err)
	}
	filter.fill(filling, page, len(page) < s.filterPage)
	return nil
}
