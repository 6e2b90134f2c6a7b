package memory

import (
	"context"
	"slices"

	"flashsale/sale"
)

// SaleSummaries returns every sale that is not archived, sorted by id, without items, with its paid units and
// the sums of its buckets.
func (d *Database) SaleSummaries(ctx context.Context) ([]sale.Summary, error) {
	return call(ctx, d, "SaleSummaries", func() ([]sale.Summary, error) {
		var found []sale.Summary
		for _, s := range slices.DeleteFunc(d.t.sales(), archived) {
			one := sale.Summary{Sale: s}
			one.Items = nil
			for _, paid := range d.t.PaidUnits(s.ID) {
				one.Paid += paid.Units
			}
			for _, row := range d.t.SortedBuckets() {
				if row.Sale != s.ID {
					continue
				}
				sum := sale.BucketSum{BucketRow: row.BucketRow}
				for _, units := range d.t.Shelves(row.Bucket) {
					sum.SKUs, sum.Loaded = sum.SKUs+1, sum.Loaded+units.Loaded
					sum.Settled, sum.Released = sum.Settled+units.Settled, sum.Released+units.Released
				}
				one.Buckets = append(one.Buckets, sum)
			}
			found = append(found, one)
		}
		return found, nil
	})
}
