package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"flashsale/sale"
)

// Bounds of one look for due orders. maxDuePages pages of frozen sales end a look, and the next one continues after them.
const (
	maxDuePages = 20
	// passFor is how long a look trusts that the orders it has passed are those of frozen sales: rows with an earlier payment
	// time can come only if the database's clock goes back.
	passFor = 30 * time.Second
)

const (
	sqlDue = "SELECT order_id, sale_id, bucket, due_at FROM orders%s WHERE due_at <= %s AND %s " +
		"ORDER BY due_at, order_id LIMIT ?"
	sqlFrozenSales = "SELECT sale_id, holds_frozen_since FROM sales WHERE holds_frozen_since IS NOT NULL ORDER BY sale_id"
)

// dueOrder is an order whose payment time is over.
type dueOrder struct {
	sale.Bucket
	id sale.OrderID
}

// passedOrders remembers how far the due orders are those of frozen sales, so that not every look reads them again.
type passedOrders struct {
	mu     sync.Mutex
	frozen string // the sales, and since when; empty: no sale
	upTo   sale.DuePlace
	since  time.Time // of the look that began at the first due order
}

// begin returns the place after which a look begins, and which sales were frozen then.
func (p *passedOrders) begin() (after sale.DuePlace, frozen string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.since) >= passFor {
		p.frozen, p.upTo = "", sale.DuePlace{}
	}
	return p.upTo, p.frozen
}

// pass notes that every due order up to a place is of a frozen sale.
func (p *passedOrders) pass(l *look) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case l.frozenKey == "":
		p.frozen, p.upTo = "", sale.DuePlace{}
	case l.from == (sale.DuePlace{}):
		p.frozen, p.upTo, p.since = l.frozenKey, l.at, l.began
	case p.frozen == l.frozenKey:
		p.upTo = l.at
	}
}

// look is one search for due orders.
type look struct {
	found     []dueOrder
	from, at  sale.DuePlace // it began and ended after
	began     time.Time
	frozen    map[string]bool // sales, nil: not read yet
	frozenKey string
}

// lookForDue finds up to limit due orders of sales that are not frozen, oldest first. It searches without a lock and outside a
// transaction. A search without a result costs one statement, also while many orders of frozen sales are due: then two.
func (s *Store) lookForDue(ctx context.Context, limit int) (*look, error) {
	l := &look{began: time.Now()}
	after, frozenThen := s.passed.begin()
	if frozenThen != "" {
		if err := s.readFrozen(ctx, l); err != nil {
			return nil, err
		}
		if l.frozenKey == frozenThen {
			l.from = after
		}
	}
	l.at = l.from
	for range maxDuePages {
		rows, err := s.duePage(ctx, l, limit)
		if err != nil || rows < limit || len(l.found) == limit {
			return l, err
		}
	}
	return l, nil
}

// duePage reads the next page of due orders into a look and returns how many there were.
func (s *Store) duePage(ctx context.Context, l *look, limit int) (rows int, err error) {
	type dueRow struct {
		dueOrder
		at sale.DuePlace
	}
	var page []dueRow
	args := append(placeArgs(l.at), limit)
	query := fmt.Sprintf(sqlDue, s.dialect.byDue, s.dialect.now, s.dialect.afterDue)
	err = each(ctx, s.db, query, args, func(rows scanner) error {
		var due moment
		var row dueRow
		err := rows.Scan(&row.id, &row.Sale, &row.Number, &due)
		row.at = sale.DuePlace{DueAt: due.Time, Order: row.id}
		page = append(page, row)
		return err
	})
	if err == nil && len(page) > 0 && l.frozen == nil {
		err = s.readFrozen(ctx, l)
	}
	if err != nil {
		return 0, err
	}
	for _, row := range page {
		l.at = row.at
		if l.frozen[row.Sale] {
			continue
		}
		if l.found = append(l.found, row.dueOrder); len(l.found) == limit {
			break
		}
	}
	return len(page), nil
}

// readFrozen reads which sales are frozen.
func (s *Store) readFrozen(ctx context.Context, l *look) error {
	l.frozen = map[string]bool{}
	var key strings.Builder
	err := each(ctx, s.db, sqlFrozenSales, nil, func(rows scanner) error {
		var id string
		var since moment
		err := rows.Scan(&id, &since)
		l.frozen[id] = true
		fmt.Fprintf(&key, "%s %d ", id, since.UnixMilli())
		return err
	})
	l.frozenKey = key.String()
	return err
}

// drop leaves out the orders of sales that were frozen since they were found.
func (l *look) drop(frozen []string) {
	l.found = slices.DeleteFunc(l.found, func(o dueOrder) bool { return slices.Contains(frozen, o.Sale) })
}
