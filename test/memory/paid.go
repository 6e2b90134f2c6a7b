package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"flashsale/sale"
)

// PaidUnits returns the units of a sale that are paid, by SKU in their order. It sums the order rows, where the real store
// keeps counters: the comparison of the two shows that the counters are right.
func (d *Database) PaidUnits(ctx context.Context, saleID string) ([]sale.PaidUnits, error) {
	return call(ctx, d, "PaidUnits", func() ([]sale.PaidUnits, error) { return d.t.PaidUnits(saleID), nil })
}

// PaidUnits sums the paid orders of a sale by SKU.
func (t *Tables) PaidUnits(saleID string) []sale.PaidUnits {
	sums := map[string]sale.PaidUnits{}
	for _, o := range t.Orders {
		if o.Sale != saleID || o.Status != sale.StatusPaid {
			continue
		}
		for _, line := range o.Lines {
			sum := sums[line.SKU]
			sum.SKU, sum.Units, sum.Orders = line.SKU, sum.Units+int64(line.Quantity), sum.Orders+1
			if o.UpdatedAt.After(sum.LastAt.Time) {
				sum.LastAt = o.UpdatedAt
			}
			sums[line.SKU] = sum
		}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b sale.PaidUnits) int { return cmp.Compare(a.SKU, b.SKU) })
}
