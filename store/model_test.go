package store

import (
	"cmp"
	"slices"

	"flashsale/sale"
)

// model is the database as the protocol states it, one order after the other over plain maps, for the buckets of one sale.
// It shares no code with the store or the ledger.
type model struct {
	skus      []string
	limit     int // units per buyer of each SKU
	saleLimit int // units per buyer, 0 = none
	buckets   []*modelBucket
	orders    map[sale.OrderID]*modelOrder
	places    map[[3]int64]map[sale.OrderID]bool // bucket, epoch, sequence
	told      map[sale.OrderID][]sale.OrderStatus
	early     map[sale.OrderID]string // payments from before the row
	stock     map[string]int64        // of the items
	changes   map[string]*modelChange // by key
	frozen    bool
}

type modelBucket struct {
	sale.BucketCounters
	shelves map[string]*sale.ShelfCounters
	outbox  []sale.OutboxRow
}

type modelOrder struct {
	sale.RecordOrder
	bucket  int
	status  sale.OrderStatus
	reason  sale.OrderReason
	payment string
	due     bool
}

func newModel(of *sale.Sale, rows []sale.StockCounters) *model {
	m := &model{
		limit: of.PerBuyerLimit, saleLimit: of.SaleLimit,
		orders: map[sale.OrderID]*modelOrder{}, places: map[[3]int64]map[sale.OrderID]bool{},
		told: map[sale.OrderID][]sale.OrderStatus{}, early: map[sale.OrderID]string{},
		stock: map[string]int64{}, changes: map[string]*modelChange{},
	}
	for _, item := range of.Items {
		m.skus = append(m.skus, item.SKU)
		m.stock[item.SKU] = item.Stock
	}
	for _, row := range rows {
		bucket := &modelBucket{BucketCounters: row.BucketCounters, shelves: map[string]*sale.ShelfCounters{}}
		for i := range row.Shelves {
			bucket.shelves[row.Shelves[i].SKU] = &row.Shelves[i]
		}
		m.buckets = append(m.buckets, bucket)
	}
	return m
}

// enter marks a record and reports whether it is new, and whether another one has its sequence.
func (m *model) enter(bucket int, epoch, sequence int64, id sale.OrderID) (fresh, fork bool) {
	at := [3]int64{int64(bucket), epoch, sequence}
	if m.places[at][id] {
		return false, false
	}
	fork = len(m.places[at]) > 0
	if !fork {
		m.places[at] = map[sale.OrderID]bool{}
	}
	m.places[at][id] = true
	return true, fork
}

// enterBatch does the same for a batch. Its identity does not contain the number of its orders: an order without a row makes
// the batch new, and any marker at its sequence, even its own, then counts as that of another batch.
func (m *model) enterBatch(b *sale.Batch) (fresh, fork bool) {
	fresh, fork = m.enter(b.Number, b.Epoch, b.Sequence, b.BatchID)
	for _, o := range b.Orders {
		if !fresh && m.orders[o.OrderID] == nil {
			return true, true
		}
	}
	return fresh, fork
}

func (m *model) settle(b *sale.Batch) {
	fresh, disagreement := m.enterBatch(b)
	if !fresh {
		return
	}
	row := m.buckets[b.Number]
	current := b.Epoch == row.Epoch
	for _, o := range b.Orders {
		made := &modelOrder{RecordOrder: o, bucket: b.Number, status: sale.StatusRefused, due: b.CreatedMS < noon}
		if m.orders[o.OrderID] != nil {
			disagreement = true
		} else if !current {
			made.reason = sale.ReasonFenced
			m.become(made)
		} else if made.reason = m.refusal(row, &o); made.reason != "" {
			disagreement = true
			m.become(made)
		} else {
			m.confirm(row, made)
		}
		if current {
			row.each(o.Lines, func(shelf *sale.ShelfCounters, units int64) { shelf.SettledEpoch += units })
		}
	}
	if current {
		row.Sequence = max(row.Sequence, b.Sequence)
		m.closeIf(row, disagreement)
	}
}

// refusal returns why an order of the present epoch is refused, "" if it is not.
func (m *model) refusal(row *modelBucket, o *sale.RecordOrder) sale.OrderReason {
	if m.keyUsed(o) {
		return sale.ReasonOverLimit
	}
	for _, line := range o.Lines {
		if row.free(line.SKU) < int64(line.Quantity) {
			return sale.ReasonSoldOut
		}
	}
	all := 0
	for _, sku := range m.skus {
		all += m.bought(o.Buyer, sku)
	}
	for _, line := range o.Lines {
		if m.bought(o.Buyer, line.SKU)+line.Quantity > m.limit {
			return sale.ReasonOverLimit
		}
		all += line.Quantity
	}
	if m.saleLimit > 0 && all > m.saleLimit {
		return sale.ReasonOverLimit
	}
	return ""
}

func (m *model) confirm(row *modelBucket, made *modelOrder) {
	made.status = sale.StatusConfirmed
	m.become(made)
	row.each(made.Lines, func(shelf *sale.ShelfCounters, units int64) { shelf.Settled += units })
	if made.payment = m.early[made.OrderID]; made.payment != "" {
		made.status = sale.StatusPaid
		m.become(made)
	}
}

// each calls fn with the shelf and the units of every line.
func (b *modelBucket) each(lines []sale.Line, fn func(shelf *sale.ShelfCounters, units int64)) {
	for _, line := range lines {
		fn(b.shelves[line.SKU], int64(line.Quantity))
	}
}

// free returns the units that no order has.
func (b *modelBucket) free(sku string) int64 {
	shelf := b.shelves[sku]
	return shelf.Loaded - shelf.Settled + shelf.Released
}

func (m *model) become(o *modelOrder) {
	m.orders[o.OrderID] = o
	m.told[o.OrderID] = append(m.told[o.OrderID], o.status)
}

func (m *model) closeIf(row *modelBucket, disagreement bool) {
	if disagreement {
		row.State = sale.BucketClosed
	}
}

func (m *model) bought(buyer, sku string) (units int) {
	for _, o := range m.orders {
		if o.Buyer != buyer || o.status != sale.StatusConfirmed && o.status != sale.StatusPaid {
			continue
		}
		for _, line := range o.Lines {
			if line.SKU == sku {
				units += line.Quantity
			}
		}
	}
	return units
}

// keyUsed reports whether the order's key has made one of its buyer that was not refused.
func (m *model) keyUsed(o *sale.RecordOrder) bool {
	for _, other := range m.orders {
		if o.Key != "" && other.Key == o.Key && other.Buyer == o.Buyer && other.status != sale.StatusRefused {
			return true
		}
	}
	return false
}

// leave ends confirmed orders: one outbox row for each bucket.
func (m *model) leave(status sale.OrderStatus, reason sale.OrderReason, leaving func(*modelOrder) bool) (left int) {
	released := map[int][]sale.RecordOrder{}
	for _, id := range m.ids() {
		o := m.orders[id]
		if o.status != sale.StatusConfirmed || !leaving(o) {
			continue
		}
		o.status, o.reason = status, reason
		m.become(o)
		m.buckets[o.bucket].each(o.Lines, func(shelf *sale.ShelfCounters, units int64) { shelf.Released += units })
		released[o.bucket] = append(released[o.bucket], o.RecordOrder)
		left++
	}
	for bucket := range m.buckets {
		if released[bucket] != nil {
			m.giveOrders(bucket, sale.OutboxRelease, released[bucket])
		}
	}
	return left
}

// refuse ends a batch that could not settle, by the operator's hand.
func (m *model) refuse(b *sale.Batch) {
	fresh, fork := m.enterBatch(b)
	if !fresh {
		return
	}
	row := m.buckets[b.Number]
	var released []sale.RecordOrder
	for _, o := range b.Orders {
		if m.orders[o.OrderID] != nil {
			fork = true
			continue
		}
		m.become(&modelOrder{RecordOrder: o, bucket: b.Number, status: sale.StatusRefused, reason: sale.ReasonDeadLetter})
		released = append(released, o)
	}
	if b.Epoch != row.Epoch {
		return
	}
	for _, o := range b.Orders {
		row.each(o.Lines, func(shelf *sale.ShelfCounters, units int64) { shelf.SettledEpoch += units })
	}
	row.Sequence = max(row.Sequence, b.Sequence)
	if fork {
		m.closeIf(row, true)
		return
	}
	m.giveOrders(b.Number, sale.OutboxRefusal, released)
}

func (m *model) ids() []sale.OrderID {
	ids := make([]sale.OrderID, 0, len(m.orders))
	for id := range m.orders {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}
