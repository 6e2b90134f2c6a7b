package store

import (
	"slices"

	"flashsale/sale"
)

// The part of the model that moves units between buckets, outbox and operators.

// modelChange is an operator's change of stock.
type modelChange struct {
	sale.StockChange
	open int // takes that are not decided
}

func (m *model) transfer(t *sale.Transfer) {
	fresh, fork := m.enter(t.Number, t.Epoch, t.Sequence, t.TransferID)
	from := m.buckets[t.Number]
	if !fresh || t.Epoch != from.Epoch {
		return
	}
	missing := false
	for _, u := range t.Units {
		from.shelves[u.SKU].SettledEpoch += u.Units
		from.shelves[u.SKU].MovedEpoch += u.Units
		missing = missing || from.free(u.SKU) < u.Units
	}
	from.Sequence = max(from.Sequence, t.Sequence)
	if fork || missing {
		m.closeIf(from, true)
		return
	}
	var lines []sale.OutboxLine
	for _, u := range t.Units {
		from.shelves[u.SKU].Loaded -= u.Units
		m.buckets[t.To].shelves[u.SKU].Loaded += u.Units
		m.buckets[t.To].shelves[u.SKU].GivenEpoch += u.Units
		lines = append(lines, m.line(u.SKU, u.Units))
	}
	m.give(t.To, sale.OutboxRow{Kind: sale.OutboxCredit, Lines: lines})
}

func (m *model) line(sku string, units int64) sale.OutboxLine {
	return sale.OutboxLine{SKU: sku, Units: units, Number: slices.Index(m.skus, sku) + 1, Limit: m.limit}
}

func (m *model) give(bucket int, given sale.OutboxRow) {
	row := m.buckets[bucket]
	row.Outbox++
	given.Bucket, given.Number, given.Epoch = row.Bucket, row.Outbox, row.Epoch
	row.outbox = append(row.outbox, given)
}

func (m *model) giveOrders(bucket int, kind sale.OutboxKind, orders []sale.RecordOrder) {
	for _, o := range orders {
		m.buckets[bucket].each(o.Lines, func(shelf *sale.ShelfCounters, units int64) { shelf.GivenEpoch += units })
	}
	m.give(bucket, sale.OutboxRow{Kind: kind, Orders: given(orders...)})
}

// applied forgets outbox rows that Redis has applied. A take stays if the bucket closes, or if orders have what Redis found.
func (m *model) applied(a sale.Applied) {
	row := m.buckets[a.Bucket.Number]
	if a.Epoch != row.Epoch {
		return
	}
	fresh, fork := m.enter(a.Bucket.Number, a.Epoch, a.Sequence, sale.OrderID(-a.Number))
	if fresh {
		row.Sequence = max(row.Sequence, a.Sequence)
		m.closeIf(row, fork)
	}
	at := slices.IndexFunc(row.outbox, func(r sale.OutboxRow) bool { return r.Number == a.Number && r.Kind == sale.OutboxTake })
	if at >= 0 {
		take := row.outbox[at]
		if row.free(take.Lines[0].SKU) < a.Took[0].Units {
			m.closeIf(row, true)
			return
		}
		if fresh && fork {
			return
		}
		m.took(row, take, a.Took[0].Units)
		row.shelves[take.Lines[0].SKU].GivenEpoch -= a.Took[0].Units
	}
	row.outbox = slices.DeleteFunc(row.outbox, func(r sale.OutboxRow) bool { return r.Number <= a.Number })
}

func (m *model) took(row *modelBucket, take sale.OutboxRow, units int64) {
	sku := take.Lines[0].SKU
	row.shelves[sku].Loaded -= units
	m.stock[sku] -= units
	m.changes[take.Change].open--
	m.changes[take.Change].Added -= units
}

// rebuild begins the next epoch of a bucket, without what the open takes ask and nobody has.
func (m *model) rebuild(bucket int) {
	row := m.buckets[bucket]
	for _, r := range row.outbox {
		if r.Kind == sale.OutboxTake {
			m.took(row, r, max(min(r.Lines[0].Units, row.free(r.Lines[0].SKU)), 0))
		}
	}
	row.Epoch++
	row.State = sale.BucketOpen
	row.Sequence, row.outbox = 0, nil
	for _, shelf := range row.shelves {
		shelf.SettledEpoch, shelf.MovedEpoch, shelf.GivenEpoch = 0, 0, 0
	}
}

// change changes the stock of a SKU, once for a key.
func (m *model) change(asked sale.StockChange) sale.StockChange {
	c := m.changes[asked.Key]
	if c == nil {
		c = &modelChange{StockChange: asked}
		m.changes[asked.Key] = c
	}
	if c.Done {
		return c.StockChange
	}
	loaded, free := make([]int64, len(m.buckets)), make([]int64, len(m.buckets))
	for i, row := range m.buckets {
		loaded[i], free[i] = row.shelves[c.SKU].Loaded, row.free(c.SKU)
	}
	if c.open == 0 && c.Asked > 0 {
		m.raise(c, loaded)
	}
	if c.open == 0 && c.Asked < 0 {
		m.take(c, free)
	}
	c.Done, c.Loaded = c.open == 0, 0
	for _, row := range m.buckets {
		c.Loaded += row.shelves[c.SKU].Loaded
	}
	return c.StockChange
}

// raise loads units, each bucket up to its even share.
func (m *model) raise(c *modelChange, loaded []int64) {
	left, all := c.Asked, c.Asked
	for _, n := range loaded {
		all += n
	}
	for i, row := range m.buckets {
		n := max(min(sale.BucketStock(all, i, len(loaded))-loaded[i], left), 0)
		if left -= n; n > 0 {
			row.shelves[c.SKU].Loaded += n
			row.shelves[c.SKU].GivenEpoch += n
			m.give(i, sale.OutboxRow{Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{m.line(c.SKU, n)}, Change: c.Key})
		}
	}
	c.Added = c.Asked
	m.stock[c.SKU] += c.Asked
}

// take asks the buckets for what is missing, each down to its even share of what stays.
func (m *model) take(c *modelChange, free []int64) {
	left, stays := c.Added-c.Asked, c.Asked-c.Added
	for _, n := range free {
		stays += max(n, 0)
	}
	for i := range m.buckets {
		n := max(min(free[i]-sale.BucketStock(max(stays, 0), i, len(free)), left), 0)
		if left -= n; n > 0 {
			m.give(i, sale.OutboxRow{Kind: sale.OutboxTake, Lines: []sale.OutboxLine{m.line(c.SKU, n)}, Change: c.Key})
			c.open++
		}
	}
}
