package memory

import (
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// SeedSale stores a sale as it is, in whatever state, as the next version of the catalogue, and returns it. Its list, where
// listed are given, counts from then on.
func (d *Database) SeedSale(s sale.Sale, listed ...string) sale.Sale {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(listed) > 0 {
		slices.Sort(listed)
		s.ListVersion, s.ListSize = max(s.ListVersion, 1), int64(len(listed))
	}
	d.t.Sales[s.ID] = &Sale{Sale: s, Listed: listed, started: s.ListVersion}
	return d.t.stampSale(d.t.Sales[s.ID])
}

// SeedStock stores a bucket's row as it is, as the next version of the catalogue. Price, limit and payment time are those of
// the sale where it is known, otherwise they are 0 and the limit is sale.MaxLimit.
func (d *Database) SeedStock(counters sale.BucketCounters) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row := &Row{Row: ledger.Row{BucketCounters: counters, Limit: sale.MaxLimit}}
	if of := d.t.Sales[counters.Sale]; of != nil {
		item, _ := of.Item(counters.SKU)
		row.PriceCents, row.Currency, row.Limit, row.PaymentTTL = item.PriceCents, of.Currency, of.PerBuyerLimit, of.PaymentTTL
	}
	d.t.Stock[counters.Bucket] = row
	d.t.stamp([]*Row{row}, func(*Row) {})
}
