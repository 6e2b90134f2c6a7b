package sale

import (
	"strconv"
	"strings"
)

// Line is one SKU of a purchase or an order. The lines of one order have distinct SKUs.
type Line struct {
	SKU            string `json:"sku"`
	Quantity       int    `json:"quantity"`         // units, 1 to MaxQuantity
	UnitPriceCents int64  `json:"unit_price_cents"` // 0 to MaxPriceCents
	Number         int    `json:"-"`                // of the item, see Item.Number; 0 where it is not known
}

// UnitsOf returns the sum of the lines' quantities.
func UnitsOf(lines []Line) int {
	units := 0
	for i := range lines {
		units += lines[i].Quantity
	}
	return units
}

// TotalCents returns the price of all lines together.
func TotalCents(lines []Line) int64 {
	var total int64
	for i := range lines {
		total += int64(lines[i].Quantity) * lines[i].UnitPriceCents
	}
	return total
}

// SameLines reports whether two orders have the same SKUs in the same quantities, in any order of the lines.
func SameLines(a, b []Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		found := false
		for j := range b {
			found = found || a[i].SKU == b[j].SKU && a[i].Quantity == b[j].Quantity
		}
		if !found {
			return false
		}
	}
	return true
}

// AppendLines writes lines in the form of a record: SKU:QUANTITY:PRICE joined by a comma.
func AppendLines(dst []byte, lines []Line) []byte {
	for i := range lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, lines[i].SKU...), ':')
		dst = strconv.AppendInt(dst, int64(lines[i].Quantity), 10)
		dst = strconv.AppendInt(append(dst, ':'), lines[i].UnitPriceCents, 10)
	}
	return dst
}

// ParseLines reads what AppendLines writes and appends the lines to dst. It returns false, and dst, for any other text: no
// line, more than MaxLines, a SKU twice, a number out of its range.
func ParseLines(dst []Line, text string) ([]Line, bool) {
	first := len(dst)
	for more := true; more; {
		var one string
		one, text, more = strings.Cut(text, ",")
		line, ok := parseLine(one)
		if !ok || len(dst)-first == MaxLines {
			return dst[:first], false
		}
		for i := first; i < len(dst); i++ {
			if dst[i].SKU == line.SKU {
				return dst[:first], false
			}
		}
		dst = append(dst, line)
	}
	return dst, true
}

func parseLine(text string) (Line, bool) {
	sku, rest, ok := strings.Cut(text, ":")
	quantity, price, both := strings.Cut(rest, ":")
	q, okQuantity := decimal(quantity)
	p, okPrice := decimal(price)
	if !ok || !both || !okQuantity || !okPrice || !ValidID(sku) || q < 1 || q > MaxQuantity || p > MaxPriceCents {
		return Line{}, false
	}
	return Line{SKU: sku, Quantity: int(q), UnitPriceCents: p}, true
}

// SKUUnits are units of one SKU.
type SKUUnits struct {
	SKU   string
	Units int64
}

// AppendUnits writes units by SKU in the form of a transfer's record: SKU:UNITS joined by a comma.
func AppendUnits(dst []byte, units []SKUUnits) []byte {
	for i := range units {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, units[i].SKU...), ':')
		dst = strconv.AppendInt(dst, units[i].Units, 10)
	}
	return dst
}

// ParseUnits reads what AppendUnits writes: 1 to MaxTransferSKUs distinct SKUs, each with 1 to MaxStock units.
func ParseUnits(text string) ([]SKUUnits, bool) {
	var found []SKUUnits
	seen := map[string]bool{}
	for more := true; more; {
		var one string
		one, text, more = strings.Cut(text, ",")
		sku, number, _ := strings.Cut(one, ":")
		n, ok := decimal(number)
		if !ok || !ValidID(sku) || seen[sku] || n < 1 || n > MaxStock || len(found) == MaxTransferSKUs {
			return nil, false
		}
		seen[sku] = true
		found = append(found, SKUUnits{SKU: sku, Units: n})
	}
	return found, true
}
