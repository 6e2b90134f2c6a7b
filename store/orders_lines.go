package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"flashsale/sale"
)

// The line of an order of one line is in the order's row. A query that joins the lines has a row for every line.
const (
	joinLines      = " LEFT JOIN order_lines l ON l.order_id = o.order_id AND o.line_count > 1"
	joinedSKU      = "COALESCE(l.sku, o.sku, '')"
	joinedQuantity = "COALESCE(l.quantity, o.quantity)"
	joinedLine     = "o.line_count, COALESCE(l.line, 1), " + joinedSKU + ", " + joinedQuantity +
		", COALESCE(l.unit_price_cents, o.unit_price_cents, 0)"
)

// lineRow is the columns of joinedLine.
type lineRow struct {
	of    int // lines of the order
	place int // 1 to of
	sale.Line
}

func (r *lineRow) columns() []any {
	return []any{&r.of, &r.place, &r.SKU, &r.Quantity, &r.UnitPriceCents}
}

// gathering puts the lines of orders together. A server may answer a join in any order, so it keeps the orders of which lines
// are missing; in the usual plans this is one at a time.
type gathering map[sale.OrderID][]sale.Line

// add returns all lines of an order with its last one, nil before.
func (g gathering) add(id sale.OrderID, row *lineRow) []sale.Line {
	if row.of == 1 && row.SKU != "" {
		return []sale.Line{row.Line}
	}
	lines := g[id]
	if lines == nil {
		lines = make([]sale.Line, row.of)
		g[id] = lines
	}
	lines[row.place-1] = row.Line
	if slices.ContainsFunc(lines, func(l sale.Line) bool { return l.SKU == "" }) {
		return nil
	}
	delete(g, id)
	return lines
}

// rest returns an error if lines of an order are missing after the last row.
func (g gathering) rest() error {
	if len(g) > 0 {
		return fmt.Errorf("orders without all of their lines: %v", slices.Sorted(maps.Keys(g)))
	}
	return nil
}

const sqlLines = "SELECT order_id, sku, quantity, unit_price_cents FROM order_lines WHERE order_id IN ("

// addLines reads the lines of those orders that have several, which is no order most of the time. Lines are written with their
// order and never change.
func addLines(ctx context.Context, q querier, orders []orderRow) error {
	several := map[sale.OrderID]*orderRow{}
	var ids []any
	for i := range orders {
		if orders[i].lines > 1 {
			several[orders[i].OrderID] = &orders[i]
			ids = append(ids, int64(orders[i].OrderID))
		}
	}
	for chunk := range slices.Chunk(ids, maxIDs) {
		query := sqlLines + placeholders(len(chunk)) + ") ORDER BY order_id, line"
		err := each(ctx, q, query, chunk, func(rows scanner) error {
			var id sale.OrderID
			var line sale.Line
			err := rows.Scan(&id, &line.SKU, &line.Quantity, &line.UnitPriceCents)
			if o := several[id]; o != nil {
				o.Lines = append(o.Lines, line)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read the lines of %d orders: %w", len(ids), err)
		}
	}
	for id, o := range several {
		if len(o.Lines) != o.lines {
			return fmt.Errorf("order %d has %d of %d lines", id, len(o.Lines), o.lines)
		}
	}
	return nil
}

// distinct sorts orders by id and keeps the first of each.
func distinct(orders []sale.Order) []sale.Order {
	slices.SortStableFunc(orders, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return slices.CompactFunc(orders, func(a, b sale.Order) bool { return a.OrderID == b.OrderID })
}
