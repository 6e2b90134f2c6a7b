package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"flashsale/sale"
)

// Bounds of the work for one page of the feed. A row that is read and not wanted costs about 2 µs.
const (
	feedWindow = 10_000 // rows in the order of updated_at that a page with filters reads at most
	smallSale  = 5_000  // a sale with at most as many orders is read as a whole and sorted
)

const (
	feedOrder    = " ORDER BY o.updated_at, o.order_id LIMIT ?"
	sqlFeed      = "SELECT " + orderColumns + ", " + ownLine + " FROM "
	sqlFeedEnd   = "SELECT o.updated_at, o.order_id FROM orders o%s WHERE %s ORDER BY o.updated_at, o.order_id LIMIT 1 OFFSET ?"
	sqlSmall     = "SELECT COUNT(*) FROM (SELECT o.order_id FROM orders o%s WHERE o.sale_id = ? LIMIT ?) AS counted"
	afterUpdated = "o.updated_at >= ? AND (o.updated_at > ? OR o.order_id > ?)"
	upToPlace    = " AND o.updated_at <= ? AND (o.updated_at < ? OR o.order_id <= ?)"
	everySale    = "sales s JOIN orders o%s ON o.sale_id = s.sale_id"
	ofOneBuyer   = " AND o.buyer_id = ?"
	ofOneSale    = " AND o.sale_id = ?"
	ofOneStatus  = " AND o.status = ?"
)

// OrderFeed returns a page of the orders that have a row, in the order of updated_at and order id. It reads a buyer's orders,
// and those of a small sale, by the index of buyers, and sorts them. It reads everything else in the order of the index of
// updated_at. There it looks at feedWindow rows for a page, so that its time has a bound however rare the wanted orders are: a
// page may have fewer orders than q.Limit, or none, and another page after it.
//
// The buyer's orders of all sales are those of the sales that the catalogue has, archived ones too.
func (s *Store) OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error) {
	page, err := s.orderFeed(ctx, q)
	if err != nil {
		return sale.OrderPage{}, fmt.Errorf("read the feed of orders: %w", err)
	}
	return page, nil
}

func (s *Store) orderFeed(ctx context.Context, q *sale.OrderQuery) (page sale.OrderPage, err error) {
	var now moment
	if err := s.db.QueryRowContext(ctx, "SELECT "+s.dialect.now).Scan(&now); err != nil {
		return page, err
	}
	page.Now = now.Time
	way, err := s.feedWay(ctx, q)
	if err != nil {
		return page, err
	}
	query := sqlFeed + way.from + " WHERE " + way.where + feedOrder
	rows, err := readOrderRows(ctx, s.db, query, append(way.args, q.Limit+1))
	if err != nil {
		return page, err
	}
	page.Next = way.end
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := &rows[q.Limit-1].Order
		page.Next = &sale.OrderPosition{UpdatedAt: last.UpdatedAt, OrderID: last.OrderID}
	}
	page.Orders = make([]sale.Order, len(rows))
	for i := range rows {
		page.Orders[i] = rows[i].Order
	}
	return page, nil
}

// feedWay is how a page is read.
type feedWay struct {
	from  string
	where string
	args  []any
	end   *sale.OrderPosition // of the window, nil: the page reads to the last row
}

func (w *feedWay) and(condition string, args ...any) {
	w.where += condition
	w.args = append(w.args, args...)
}

// feedWay chooses the index and adds the filters.
func (s *Store) feedWay(ctx context.Context, q *sale.OrderQuery) (*feedWay, error) {
	way := &feedWay{from: "orders o" + s.dialect.byBuyer, where: "1 = 1"}
	if q.After != nil {
		at := moment{q.After.UpdatedAt}
		way.where, way.args = afterUpdated, []any{at, at, int64(q.After.OrderID)}
	}
	few := q.Buyer != ""
	if few && q.Sale == "" {
		way.from = fmt.Sprintf(everySale, s.dialect.byBuyer)
	}
	if !few && q.Sale != "" {
		var orders int
		err := s.db.QueryRowContext(ctx, fmt.Sprintf(sqlSmall, s.dialect.byBuyer), q.Sale, s.smallSale+1).Scan(&orders)
		if err != nil {
			return nil, err
		}
		few = orders <= s.smallSale
	}
	if !few {
		way.from = "orders o" + s.dialect.byUpdated
		if err := s.boundFeed(ctx, q, way); err != nil {
			return nil, err
		}
	}
	way.filter(q)
	return way, nil
}

func (w *feedWay) filter(q *sale.OrderQuery) {
	if q.Sale != "" {
		w.and(ofOneSale, q.Sale)
	}
	if q.Buyer != "" {
		w.and(ofOneBuyer, q.Buyer)
	}
	if q.Status != "" {
		w.and(ofOneStatus, string(q.Status))
	}
	if q.SKU != "" {
		w.and(ofHasSKU, q.SKU, q.SKU)
	}
}

// boundFeed ends the page at the last row of the window. Without filters the number of orders bounds the page.
func (s *Store) boundFeed(ctx context.Context, q *sale.OrderQuery, way *feedWay) error {
	if q.Sale == "" && q.Status == "" && q.SKU == "" {
		return nil
	}
	var at moment
	end := &sale.OrderPosition{}
	query := fmt.Sprintf(sqlFeedEnd, s.dialect.byUpdated, way.where)
	args := append(append([]any{}, way.args...), max(s.feedWindow, q.Limit)-1)
	switch err := s.db.QueryRowContext(ctx, query, args...).Scan(&at, &end.OrderID); {
	case errors.Is(err, sql.ErrNoRows):
		return nil // fewer rows are left
	case err != nil:
		return err
	}
	end.UpdatedAt, way.end = at.Time, end
	way.and(upToPlace, at, at, int64(end.OrderID))
	return nil
}
