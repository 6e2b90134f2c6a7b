package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertOrders = "INSERT INTO orders (order_id, buyer_id, idempotency_key, reason, sku, quantity, unit_price_cents, " +
		"total_cents, line_count, status, sale_id, bucket, currency, created_at, updated_at, thaw_no, pay_by, due_at) VALUES "
	sqlInsertLines = "INSERT INTO order_lines (order_id, line, sku, quantity, unit_price_cents) VALUES "
)

// insertOrders writes new orders with a status, and the lines of those that have several. Their statements contain the values,
// because an argument for each would cost this process more than all other work of settling a row.
func insertOrders(ctx context.Context, tx *sql.Tx, status sale.OrderStatus, orders []ledger.Order) error {
	for chunk := range slices.Chunk(orders, maxRows) {
		if _, err := tx.ExecContext(ctx, ordersStatement(status, chunk)); err != nil {
			return err
		}
	}
	for len(orders) > 0 {
		var statement []byte
		if statement, orders = linesStatement(orders); len(statement) == 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, string(statement)); err != nil {
			return err
		}
	}
	return nil
}

// Usual lengths of rows.
const (
	orderBytes = 320
	lineBytes  = 60
)

func ordersStatement(status sale.OrderStatus, orders []ledger.Order) string {
	shared := map[*ledger.Terms][]byte{}
	b := append(make([]byte, 0, len(sqlInsertOrders)+orderBytes*len(orders)), sqlInsertOrders...)
	var terms *ledger.Terms
	var end []byte
	for i := range orders {
		o := &orders[i]
		if o.Terms != terms {
			terms, end = o.Terms, shared[o.Terms]
			if end == nil {
				end = termsText(status, terms)
				shared[terms] = end
			}
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '('), int64(o.OrderID), 10)
		b = appendText(append(b, ','), o.Buyer)
		b = appendText(append(b, ','), o.Key)
		b = appendText(append(b, ','), string(o.Reason))
		b = append(appendContent(b, o.Lines), end...)
	}
	return string(b)
}

// appendContent writes SKU, quantity, unit price, total and number of lines. Orders of several lines have no SKU and no price.
func appendContent(b []byte, lines []sale.Line) []byte {
	if len(lines) == 1 {
		b = appendText(append(b, ','), lines[0].SKU)
		b = strconv.AppendInt(append(b, ','), int64(lines[0].Quantity), 10)
		b = strconv.AppendInt(append(b, ','), lines[0].UnitPriceCents, 10)
	} else {
		b = strconv.AppendInt(append(b, ",NULL,"...), int64(sale.UnitsOf(lines)), 10)
		b = append(b, ",NULL"...)
	}
	b = strconv.AppendInt(append(b, ','), sale.TotalCents(lines), 10)
	return strconv.AppendInt(append(b, ','), int64(len(lines)), 10)
}

// termsText returns the end of a row, which all orders of a batch share.
func termsText(status sale.OrderStatus, t *ledger.Terms) []byte {
	b := appendText([]byte{','}, string(status))
	b = appendText(append(b, ','), t.Sale)
	b = strconv.AppendInt(append(b, ','), int64(t.Number), 10)
	b = appendText(append(b, ','), t.Currency)
	b = appendText(append(b, ','), datetime(t.CreatedMS))
	b = appendText(append(b, ','), datetime(t.UpdatedMS))
	b = strconv.AppendInt(append(b, ','), t.ThawNo, 10)
	payBy := []byte(",NULL")
	if t.PayByMS >= 0 {
		payBy = appendText([]byte{','}, datetime(t.PayByMS))
	}
	b = append(b, payBy...)
	if status == sale.StatusConfirmed { // only a confirmed order has due_at
		b = append(b, payBy...)
	} else {
		b = append(b, ",NULL"...)
	}
	return append(b, ')')
}

// linesStatement returns the INSERT of the lines of the first orders, about maxRows, and the orders after them. The statement
// is empty if no order has several lines.
func linesStatement(orders []ledger.Order) (statement []byte, rest []ledger.Order) {
	written := 0
	for i := range orders {
		lines := orders[i].Lines
		if len(lines) == 1 {
			continue
		}
		if written > 0 && written+len(lines) > maxRows {
			return statement, orders[i:]
		}
		if written == 0 {
			statement = append(make([]byte, 0, len(sqlInsertLines)+lineBytes*min(maxRows, 3*len(orders))), sqlInsertLines...)
		}
		for k := range lines {
			if written > 0 {
				statement = append(statement, ',')
			}
			statement = appendLine(statement, orders[i].OrderID, k+1, &lines[k])
			written++
		}
	}
	return statement, nil
}

func appendLine(b []byte, id sale.OrderID, place int, line *sale.Line) []byte {
	b = strconv.AppendInt(append(b, '('), int64(id), 10)
	b = strconv.AppendInt(append(b, ','), int64(place), 10)
	b = appendText(append(b, ','), line.SKU)
	b = strconv.AppendInt(append(b, ','), int64(line.Quantity), 10)
	return append(strconv.AppendInt(append(b, ','), line.UnitPriceCents, 10), ')')
}
