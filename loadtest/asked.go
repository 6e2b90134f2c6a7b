package loadtest

import (
	"fmt"
	"slices"
	"strings"

	"flashsale/sale"
)

// Asked is one line of a press: a SKU and its units, 1 to sale.MaxQuantity, or 0 where a history does not tell them.
type Asked struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity,omitempty"`
}

// fits reports whether an order has the lines that a press asked for, in any order.
func fits(asked []Asked, order []sale.Line) bool {
	if len(asked) != len(order) {
		return false
	}
	for i := range order {
		at := slices.IndexFunc(asked, func(a Asked) bool { return a.SKU == order[i].SKU })
		if at < 0 || asked[at].Quantity != 0 && asked[at].Quantity != order[i].Quantity {
			return false
		}
	}
	return true
}

// sameLines reports whether two presses ask for the same lines, in any order.
func sameLines(a, b []Asked) bool {
	if len(a) != len(b) {
		return false
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			return false
		}
	}
	return true
}

// textOf names lines in a finding: "phone × 2, case".
func textOf(lines []Asked) string {
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i] = line.SKU
		if line.Quantity > 1 {
			names[i] = fmt.Sprintf("%s × %d", line.SKU, line.Quantity)
		}
	}
	return strings.Join(names, ", ")
}

// askedBy returns the lines of an order as a press would ask for them.
func askedBy(order []sale.Line) []Asked {
	asked := make([]Asked, len(order))
	for i := range order {
		asked[i] = Asked{order[i].SKU, order[i].Quantity}
	}
	return asked
}
