package store

import (
	"fmt"
	"strconv"
	"strings"

	"flashsale/sale"
)

func outboxArgs(args []any, r sale.OutboxRow) []any {
	return append(args, r.Sale, r.Bucket.Number, r.Number, r.Epoch, string(r.Kind), r.LineCount(), r.Change, outboxBody(&r))
}

// ofOrders reports whether a row of a kind has orders, and no lines of its own.
func ofOrders(kind sale.OutboxKind) bool {
	return kind == sale.OutboxRelease || kind == sale.OutboxRefusal
}

// outboxBody writes one order per line, "id lines buyer" with the lines as in a record, or one SKU per line, "sku units number
// limit".
func outboxBody(r *sale.OutboxRow) string {
	var b []byte
	for i := range r.Orders {
		b = strconv.AppendInt(b, int64(r.Orders[i].OrderID), 10)
		b = append(sale.AppendLines(append(b, ' '), r.Orders[i].Lines), ' ')
		b = append(append(b, r.Orders[i].Buyer...), '\n')
	}
	for i := range r.Lines {
		b = fmt.Appendf(b, "%s %d %d %d\n", r.Lines[i].SKU, r.Lines[i].Units, r.Lines[i].Number, r.Lines[i].Limit)
	}
	return string(b)
}

// readBody reads what outboxBody writes.
func readBody(r *sale.OutboxRow, body string) error {
	for text := range strings.Lines(body) {
		fields := strings.Fields(text)
		var ok bool
		if ofOrders(r.Kind) {
			ok = readReleased(r, fields)
		} else {
			ok = readLine(r, fields)
		}
		if !ok {
			return fmt.Errorf("line %.80q of a %s", text, r.Kind)
		}
	}
	return nil
}

func readReleased(r *sale.OutboxRow, fields []string) bool {
	if len(fields) != 3 {
		return false
	}
	id, err := sale.ParseOrderID(fields[0])
	lines, ok := sale.ParseLines(nil, fields[1])
	r.Orders = append(r.Orders, sale.ReleasedOrder{OrderID: id, Buyer: fields[2], Lines: lines})
	return ok && err == nil
}

func readLine(r *sale.OutboxRow, fields []string) bool {
	if len(fields) != 4 {
		return false
	}
	var numbers [3]int64
	for i := range numbers {
		n, err := strconv.ParseInt(fields[1+i], 10, 64)
		if err != nil {
			return false
		}
		numbers[i] = n
	}
	line := sale.OutboxLine{SKU: fields[0], Units: numbers[0], Number: int(numbers[1]), Limit: int(numbers[2])}
	r.Lines = append(r.Lines, line)
	return true
}
