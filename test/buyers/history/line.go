package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Line is one SKU of a purchase or an order.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// One returns the lines of an order of one SKU.
func One(sku string, quantity int) []Line { return []Line{{sku, quantity}} }

// Wants returns the lines that a press of Buy asks for. A press without a quantity asks for one unit.
func (q *Question) Wants() []Line {
	if len(q.Lines) > 0 {
		return q.Lines
	}
	return One(q.SKU, max(q.Quantity, 1))
}

// Text writes lines in the order of their SKUs, so that the same lines have the same text.
func Text(lines []Line) string {
	if len(lines) == 1 {
		return fmt.Sprint(lines[0].SKU, ":", lines[0].Quantity)
	}
	sorted := slices.SortedFunc(slices.Values(lines), func(a, b Line) int { return cmp.Compare(a.SKU, b.SKU) })
	texts := make([]string, len(sorted))
	for i, line := range sorted {
		texts[i] = fmt.Sprint(line.SKU, ":", line.Quantity)
	}
	return strings.Join(texts, ",")
}

// Same reports whether two orders have the same SKUs in the same quantities, in any order of the lines.
func Same(a, b []Line) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(line Line) bool { return !slices.Contains(b, line) })
}

// UnitsOf returns the units of a SKU in some lines, of all SKUs for "".
func UnitsOf(lines []Line, sku string) int {
	units := 0
	for _, line := range lines {
		if sku == "" || line.SKU == sku {
			units += line.Quantity
		}
	}
	return units
}
