package history

import (
	"fmt"
	"strconv"
	"strings"
)

// Line is one SKU of a purchase or an order.
type Line struct {
	SKU            string `json:"sku"`
	Quantity       int    `json:"quantity"`
	UnitPriceCents int64  `json:"unit_price_cents,omitempty"`
}

// Units sums the quantities of lines.
func Units(lines []Line) (units int) {
	for _, line := range lines {
		units += line.Quantity
	}
	return units
}

// LinesText writes lines as SKU:QUANTITY joined by a comma.
func LinesText(lines []Line) string {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = fmt.Sprintf("%s:%d", line.SKU, line.Quantity)
	}
	return strings.Join(texts, ",")
}

// Wanted returns the lines that a purchase asks for, without prices.
func (q *Question) Wanted() []Line {
	if q.SKU != "" {
		return []Line{{SKU: q.SKU, Quantity: max(q.Quantity, 1)}}
	}
	var lines []Line
	for text := range strings.SplitSeq(q.Lines, ",") {
		sku, quantity, _ := strings.Cut(text, ":")
		if n, err := strconv.Atoi(quantity); err == nil {
			lines = append(lines, Line{SKU: sku, Quantity: n})
		}
	}
	return lines
}

// Want makes the question a purchase of these lines: of the item where there is one, else of the sale.
func (q *Question) Want(lines []Line) {
	q.SKU, q.Quantity, q.Lines = "", 0, ""
	if len(lines) == 1 {
		q.SKU, q.Quantity = lines[0].SKU, lines[0].Quantity
	} else {
		q.Lines = LinesText(lines)
	}
}

// Of returns the units that a purchase asks for of a SKU, 0 for none.
func (q *Question) Of(sku string) int {
	for _, line := range q.Wanted() {
		if line.SKU == sku {
			return line.Quantity
		}
	}
	return 0
}

// AtFault returns the SKU that a refusal concerns: the one that it names, else the only one that was asked for.
func (o *Op) AtFault() string {
	if o.NamedSKU != "" {
		return o.NamedSKU
	}
	return o.SKU
}
