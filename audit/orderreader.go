package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"flashsale/sale"
)

// Statements of the reading of orders. Lines are read by the ids of the sale's orders: ids rise with time, so that few lines
// of other sales are among them.
const (
	sqlRows = "SELECT order_id, bucket, buyer_id, COALESCE(sku, ''), quantity, COALESCE(unit_price_cents, 0), total_cents, " +
		"line_count, status, idempotency_key FROM orders WHERE sale_id = ?"
	sqlLines = "SELECT order_id, sku, quantity, unit_price_cents FROM order_lines WHERE order_id BETWEEN ? AND ? " +
		"ORDER BY order_id, line"
	sqlLoose = "SELECT DISTINCT l.order_id FROM order_lines l LEFT JOIN orders o ON o.order_id = l.order_id " +
		"WHERE o.order_id IS NULL AND l.order_id NOT BETWEEN ? AND ? ORDER BY l.order_id LIMIT 20"
	sqlPresent = "SELECT order_id FROM orders WHERE order_id IN ("
)

// presentPage is how many ids one statement asks for.
const presentPage = 1000

// orderReader reads the rows of a sale and their lines. It takes the values from the driver: database/sql copies each of them.
type orderReader struct {
	*snapshot
	conn *sql.Conn

	lines   []rawLine // of the present row; the reader owns the memory of their SKUs
	only    []rawLine // the line of an order of one SKU, in the driver's memory
	buffer  []byte
	at      int // the row whose lines are read
	pending bool
	others  []sale.OrderID // with lines, and not of this sale
}

func (o *orderReader) read(ctx context.Context, loose bool) error {
	if err := stream(ctx, o.conn, sqlRows, []any{o.sale}, o.noteRow); err != nil {
		return err
	}
	sortRows(o.rows)
	first, last := int64(1), int64(0) // no id is between them
	if len(o.rows) > 0 {
		first, last = int64(o.rows[0].id), int64(o.rows[len(o.rows)-1].id)
	}
	if err := stream(ctx, o.conn, sqlLines, []any{first, last}, o.noteLine); err != nil {
		return err
	}
	o.endRow()
	if !loose {
		return nil
	}
	if err := o.noteLoose(ctx); err != nil {
		return err
	}
	err := stream(ctx, o.conn, sqlLoose, []any{first, last}, func(values []driver.Value) error {
		id, err := whole(values[0])
		o.loose = append(o.loose, sale.OrderID(id))
		return err
	})
	slices.Sort(o.loose)
	o.loose = o.loose[:min(len(o.loose), maxEvidence)]
	return err
}

// noteRow files an order. The line of an order of one SKU is in its row, the others follow in the table of lines.
func (o *orderReader) noteRow(values []driver.Value) error {
	var numbers [6]int64
	for i, column := range []int{0, 1, 4, 5, 6, 7} {
		number, err := whole(values[column])
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	r := row{id: sale.OrderID(numbers[0]), bucket: int32(numbers[1])}
	if numbers[1] != int64(r.bucket) {
		return fmt.Errorf("order %d: bucket %d", r.id, numbers[1])
	}
	sku := textOf(values[3])
	c := claim{sku: string(sku), quantity: numbers[2], total: numbers[4], count: numbers[5]}
	o.buffer = c.append(o.buffer[:0])
	r.claim = o.words.number(o.buffer)
	r.buyer, r.status = o.words.number(textOf(values[2])), o.words.number(textOf(values[8]))
	r.key = o.words.number(textOf(values[9]))
	if len(sku) > 0 {
		o.only = append(o.only[:0], rawLine{sku, numbers[2], numbers[3]})
		r.basket, o.buffer = o.words.basket(o.only, o.buffer)
	}
	o.facts.rows = append(o.facts.rows, r)
	return nil
}

// noteLine files a line of the table of lines. They are sorted by order, as the rows are.
func (o *orderReader) noteLine(values []driver.Value) error {
	var numbers [3]int64
	for i, column := range []int{0, 2, 3} {
		number, err := whole(values[column])
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	id := sale.OrderID(numbers[0])
	if !o.pending || o.rows[o.at].id != id {
		o.endRow()
		for o.at < len(o.rows) && o.rows[o.at].id < id {
			o.at++
		}
		if o.at == len(o.rows) || o.rows[o.at].id != id {
			if len(o.others) == 0 || o.others[len(o.others)-1] != id {
				o.others = append(o.others, id)
			}
			return nil
		}
		o.pending, o.lines = true, o.lines[:0]
		for _, l := range o.words.lines(o.rows[o.at].basket) {
			o.lines = append(o.lines, rawLine{[]byte(l.sku), l.quantity, l.price})
		}
	}
	o.add(textOf(values[1]), numbers[1], numbers[2])
	return nil
}

// add appends a line of the present row; the driver uses the memory of its SKU again.
func (o *orderReader) add(sku []byte, quantity, price int64) {
	at := len(o.lines)
	if at < cap(o.lines) {
		o.lines = o.lines[:at+1]
		o.lines[at].sku = append(o.lines[at].sku[:0], sku...)
		o.lines[at].quantity, o.lines[at].price = quantity, price
		return
	}
	o.lines = append(o.lines, rawLine{slices.Clone(sku), quantity, price})
}

// endRow gives the present row all its lines.
func (o *orderReader) endRow() {
	if o.pending {
		o.rows[o.at].basket, o.buffer = o.words.basket(o.lines, o.buffer)
		o.pending = false
	}
}

// noteLoose files those ids with lines that no sale has an order of.
func (o *orderReader) noteLoose(ctx context.Context) error {
	for page := range slices.Chunk(o.others, presentPage) {
		present, args := map[sale.OrderID]bool{}, make([]any, len(page))
		for i, id := range page {
			args[i] = int64(id)
		}
		statement := sqlPresent + strings.Repeat("?, ", len(page)-1) + "?)"
		err := stream(ctx, o.conn, statement, args, func(values []driver.Value) error {
			id, err := whole(values[0])
			present[sale.OrderID(id)] = true
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range page {
			if !present[id] {
				o.loose = append(o.loose, id)
			}
		}
	}
	return nil
}

// stream calls note for each row of a statement. The values are valid until note returns.
func stream(ctx context.Context, conn *sql.Conn, statement string, args []any, note func([]driver.Value) error) error {
	return conn.Raw(func(raw any) (err error) {
		queryer, ok := raw.(driver.QueryerContext)
		if !ok {
			return errors.New("the database's driver runs no queries")
		}
		named := make([]driver.NamedValue, len(args))
		for i, arg := range args {
			named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
		}
		rows, err := queryer.QueryContext(ctx, statement, named)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		values := make([]driver.Value, len(rows.Columns()))
		for {
			switch err := rows.Next(values); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			if err := note(values); err != nil {
				return err
			}
		}
	})
}

// whole returns an integer of the driver.
func whole(value driver.Value) (int64, error) {
	if number, is := value.(int64); is {
		return number, nil
	}
	return math.MinInt64, fmt.Errorf("the database answered %v where a whole number is wanted", value)
}

// textOf returns a text of the driver; it is valid until the next row.
func textOf(value driver.Value) []byte {
	text, _ := value.([]byte) // NULL is the empty text
	return text
}
