package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

// unpaidPage is how many orders one statement of UnpaidOrders counts. A statement that groups rows answers when it has read all
// of them, and the read timeout has to be longer: a page ends in time also on a server that is a hundred times slower than
// measured.
const unpaidPage = 50_000

const (
	// sqlUnpaidEnd finds the last order of a page in the index of the payment times alone.
	sqlUnpaidEnd = "SELECT due_at, order_id FROM orders%s WHERE %s ORDER BY due_at, order_id LIMIT 1 OFFSET %d"

	sqlUnpaidOrders = "SELECT sale_id, COUNT(*), SUM(CASE WHEN due_at <= %[3]s THEN 1 ELSE 0 END), MIN(due_at), %[3]s " +
		"FROM orders%[1]s WHERE %[2]s"
	unpaidUpTo  = " AND due_at <= ? AND (due_at < ? OR order_id <= ?)"
	unpaidGroup = " GROUP BY sale_id"
)

// unpaidOfSale is the count of a sale so far.
type unpaidOfSale struct {
	sale.UnpaidOrders
	first, now moment
}

// UnpaidOrders counts the confirmed orders of every sale whose payment time ends, sorted by sale; a sale without any is left out.
// It reads each of them by the index of the payment times, in pages of unpaidPage: 200,000 in MariaDB took 0.35 s, the time grows
// with their number, and one statement over all would take about a third less. An order whose payment time is moved or ends
// meanwhile may count twice or not at all.
func (s *Store) UnpaidOrders(ctx context.Context) ([]sale.UnpaidOrders, error) {
	of := map[string]*unpaidOfSale{}
	frozen := look{}
	err := s.readFrozen(ctx, &frozen)
	for after, more := (sale.DuePlace{}), true; err == nil && more; {
		after, more, err = s.countUnpaid(ctx, after, of)
	}
	if err != nil {
		return nil, fmt.Errorf("count unpaid orders: %w", err)
	}
	var all []sale.UnpaidOrders
	for id, one := range of {
		switch {
		case frozen.frozen[id]:
			one.Overdue = 0
		case one.Overdue > 0:
			one.Oldest = one.now.Sub(one.first.Time.Time)
		}
		all = append(all, one.UnpaidOrders)
	}
	slices.SortFunc(all, func(a, b sale.UnpaidOrders) int { return cmp.Compare(a.Sale, b.Sale) })
	return all, nil
}

// countUnpaid adds a page of the orders after a place. It returns the last order of the page and whether others may follow.
func (s *Store) countUnpaid(
	ctx context.Context, after sale.DuePlace, of map[string]*unpaidOfSale,
) (end sale.DuePlace, more bool, err error) {
	args, d := placeArgs(after), s.dialect
	var due moment
	find := fmt.Sprintf(sqlUnpaidEnd, d.byDue, d.afterDue, s.unpaidPage-1)
	err = s.db.QueryRowContext(ctx, find, args...).Scan(&due, &end.Order)
	if err != nil && !isNoRows(err) {
		return end, false, err
	}
	more, end.DueAt = err == nil, due.Time
	query := fmt.Sprintf(sqlUnpaidOrders, d.byDue, d.afterDue, d.now)
	if more {
		query += unpaidUpTo
		args = append(args, due, due, int64(end.Order))
	}
	err = each(ctx, s.db, query+unpaidGroup, args, func(rows scanner) error {
		var page unpaidOfSale
		err := rows.Scan(&page.Sale, &page.Orders, &page.Overdue, &page.first, &page.now)
		one := of[page.Sale]
		if one == nil {
			of[page.Sale] = &page
			return err
		}
		one.Orders, one.Overdue, one.now = one.Orders+page.Orders, one.Overdue+page.Overdue, page.now
		return err
	})
	return end, more, err
}
