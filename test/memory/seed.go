package memory

import (
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// Change has a test change the content, as an operator with SQL would. What the unique keys and the indexes of buyers are
// made of, orders, is seeded instead.
func (d *Database) Change(change func(t *Tables)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.t)
}

// SeedSale stores a sale as it is, in whatever state, as the next version of the catalogue, and returns it. Its list, where
// listed are given, counts from then on. Items without a number get one.
func (d *Database) SeedSale(s sale.Sale, listed ...string) sale.Sale {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(listed) > 0 {
		slices.Sort(listed)
		s.ListVersion, s.ListSize = max(s.ListVersion, 1), int64(len(listed))
	}
	s.Items = ledger.Numbered(s.Items, s.Items)
	d.t.Sales[s.ID] = &Sale{Sale: s, Listed: listed, started: s.ListVersion}
	return d.t.stampSale(d.t.Sales[s.ID])
}

// SeedStock stores a bucket's row and its shelves as they are, as the next version of the catalogue. Currency, limits, numbers
// and payment time are those of the sale when it exists, otherwise they are 0, the limit is sale.MaxLimit, and the numbers are
// 1, 2, 3, …
func (d *Database) SeedStock(counters sale.StockCounters) {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := &sale.Sale{PerBuyerLimit: sale.MaxLimit}
	if known := d.t.Sales[counters.Sale]; known != nil {
		of = &known.Sale
	}
	row := newRow(of, counters.Bucket)
	row.BucketCounters = counters.BucketCounters
	d.t.Buckets[counters.Bucket] = row
	for i, shelf := range counters.Shelves {
		item, known := of.Item(shelf.SKU)
		if !known {
			item = sale.Item{SKU: shelf.SKU, Number: i + 1}
		}
		d.t.addShelf(of, &item, counters.Bucket).ShelfCounters = shelf
	}
	d.t.stamp([]*Row{row}, func(*Row) {})
}

// SeedPosition sets the next offset to settle in a partition.
func (d *Database) SeedPosition(at sale.Position) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t.Positions[at.Partition] = at
}

// SeedEvent adds an event about orders, which get a row each or keep the one that they have with what is new of it. All of
// them must have the same status.
func (d *Database) SeedEvent(orders ...sale.Order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make([]sale.OrderID, len(orders))
	for i, o := range orders {
		ids[i] = o.OrderID
		d.t.seedOrder(o)
	}
	d.t.note(map[sale.OrderStatus][]sale.OrderID{orders[0].Status: ids}, d.nowMS())
}

// SeedOrder stores an order's row as it is.
func (d *Database) SeedOrder(o sale.Order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t.seedOrder(o)
}

func (t *Tables) seedOrder(o sale.Order) {
	row := t.Orders[o.OrderID]
	if row == nil {
		row = &Order{Order: o}
		t.Orders[o.OrderID] = row
		t.owners[row.owner()] = append(t.owners[row.owner()], row)
	}
	row.Order = o
}

// SeedOutbox adds outbox rows as they are.
func (d *Database) SeedOutbox(rows ...sale.OutboxRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range rows {
		d.t.Outbox[row.Bucket] = append(d.t.Outbox[row.Bucket], row)
	}
}

// SeedLease gives a lease to a holder until a moment, also when another one has it.
func (d *Database) SeedLease(name string, to Lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t.Leases[name] = to
}

// SeedOrders stores orders of a bucket in one status.
func (d *Database) SeedOrders(bucket sale.Bucket, status sale.OrderStatus, orders ...sale.RecordOrder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := sale.TimeMillis(d.nowMS())
	for _, o := range orders {
		d.t.seedOrder(sale.Order{
			OrderID: o.OrderID, Status: status, Sale: bucket.Sale, Lines: o.Lines, BuyerID: o.Buyer,
			CreatedAt: at, UpdatedAt: at,
		})
		row := d.t.Orders[o.OrderID]
		row.Number, row.Key = bucket.Number, o.Key
	}
}
