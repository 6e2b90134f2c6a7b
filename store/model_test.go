package store

import (
	"cmp"
	"slices"

	"flashsale/sale"
)

// model is the database as the protocol states it, one order after the other over plain maps, for the buckets of one SKU.
// It shares no code with the store or the ledger.
type model struct {
	limit   int
	buckets []*modelBucket
	orders  map[sale.OrderID]*modelOrder
	places  map[[3]int64]map[sale.OrderID]bool // bucket, epoch, sequence
	told    map[sale.OrderID][]sale.OrderStatus
	early   map[sale.OrderID]string // payments from before the row
}

type modelBucket struct {
	sale.BucketCounters
	outbox []sale.OutboxRow
}

type modelOrder struct {
	sale.RecordOrder
	bucket  int
	status  sale.OrderStatus
	reason  sale.OrderReason
	payment string
	due     bool
}

func newModel(limit int, rows []sale.BucketCounters) *model {
	m := &model{
		limit: limit, orders: map[sale.OrderID]*modelOrder{}, places: map[[3]int64]map[sale.OrderID]bool{},
		told: map[sale.OrderID][]sale.OrderStatus{}, early: map[sale.OrderID]string{},
	}
	for _, row := range rows {
		m.buckets = append(m.buckets, &modelBucket{BucketCounters: row})
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
		} else if m.keyUsed(o) {
			made.reason, disagreement = sale.ReasonOverLimit, true
			m.become(made)
		} else if row.Settled-row.Released+int64(o.Quantity) > row.Loaded {
			made.reason, disagreement = sale.ReasonSoldOut, true
			m.become(made)
		} else if m.bought(o.Buyer)+o.Quantity > m.limit {
			made.reason, disagreement = sale.ReasonOverLimit, true
			m.become(made)
		} else {
			made.status = sale.StatusConfirmed
			m.become(made)
			row.Settled += int64(o.Quantity)
			if made.payment = m.early[o.OrderID]; made.payment != "" {
				made.status = sale.StatusPaid
				m.become(made)
			}
		}
		if current {
			row.SettledEpoch += int64(o.Quantity)
		}
	}
	if current {
		row.Sequence = max(row.Sequence, b.Sequence)
		m.closeIf(row, disagreement)
	}
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

func (m *model) bought(buyer string) (units int) {
	for _, o := range m.orders {
		if o.Buyer == buyer && (o.status == sale.StatusConfirmed || o.status == sale.StatusPaid) {
			units += o.Quantity
		}
	}
	return units
}

// keyUsed reports whether the order's key has made one of its buyer that was not refused.
func (m *model) keyUsed(o sale.RecordOrder) bool {
	for _, other := range m.orders {
		if o.Key != "" && other.Key == o.Key && other.Buyer == o.Buyer && other.status != sale.StatusRefused {
			return true
		}
	}
	return false
}

func (m *model) transfer(t *sale.Transfer) {
	fresh, fork := m.enter(t.Number, t.Epoch, t.Sequence, t.TransferID)
	from := m.buckets[t.Number]
	if !fresh || t.Epoch != from.Epoch {
		return
	}
	from.SettledEpoch += t.Units
	from.MovedEpoch += t.Units
	from.Sequence = max(from.Sequence, t.Sequence)
	if fork || from.Settled-from.Released+t.Units > from.Loaded {
		m.closeIf(from, true)
		return
	}
	from.Loaded -= t.Units
	m.buckets[t.To].Loaded += t.Units
	m.give(t.To, sale.OutboxCredit, t.Units, nil)
}

func (m *model) give(bucket int, kind sale.OutboxKind, units int64, orders []sale.ReleasedOrder) {
	row := m.buckets[bucket]
	row.GivenEpoch += units
	row.Outbox++
	row.outbox = append(row.outbox, sale.OutboxRow{
		Bucket: row.Bucket, Number: row.Outbox, Epoch: row.Epoch, Kind: kind, Units: units, Orders: orders,
	})
}

// leave ends confirmed orders: one outbox row for each bucket.
func (m *model) leave(status sale.OrderStatus, reason sale.OrderReason, leaving func(*modelOrder) bool) (left int) {
	given := map[int][]sale.ReleasedOrder{}
	units := map[int]int64{}
	for _, id := range m.ids() {
		o := m.orders[id]
		if o.status != sale.StatusConfirmed || !leaving(o) {
			continue
		}
		o.status, o.reason = status, reason
		m.become(o)
		m.buckets[o.bucket].Released += int64(o.Quantity)
		given[o.bucket] = append(given[o.bucket], sale.ReleasedOrder{OrderID: id, Quantity: o.Quantity, Buyer: o.Buyer})
		units[o.bucket] += int64(o.Quantity)
		left++
	}
	for bucket := range m.buckets {
		if given[bucket] != nil {
			m.give(bucket, sale.OutboxRelease, units[bucket], given[bucket])
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
	var given []sale.ReleasedOrder
	for _, o := range b.Orders {
		if m.orders[o.OrderID] != nil {
			fork = true
			continue
		}
		m.become(&modelOrder{RecordOrder: o, bucket: b.Number, status: sale.StatusRefused, reason: sale.ReasonDeadLetter})
		given = append(given, sale.ReleasedOrder{OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.Buyer})
	}
	if b.Epoch != row.Epoch {
		return
	}
	row.SettledEpoch += b.Units()
	row.Sequence = max(row.Sequence, b.Sequence)
	if fork {
		m.closeIf(row, true)
		return
	}
	m.give(b.Number, sale.OutboxRefusal, b.Units(), given)
}

func (m *model) applied(a sale.Applied) {
	row := m.buckets[a.Bucket.Number]
	if a.Epoch != row.Epoch {
		return
	}
	row.outbox = slices.DeleteFunc(row.outbox, func(r sale.OutboxRow) bool { return r.Number <= a.Number })
	if fresh, fork := m.enter(a.Bucket.Number, a.Epoch, a.Sequence, sale.OrderID(-a.Number)); fresh {
		row.Sequence = max(row.Sequence, a.Sequence)
		m.closeIf(row, fork)
	}
}

func (m *model) rebuild(bucket int) {
	row := m.buckets[bucket]
	row.Epoch++
	row.State = sale.BucketOpen
	row.SettledEpoch, row.MovedEpoch, row.GivenEpoch, row.Sequence, row.outbox = 0, 0, 0, 0, nil
}

func (m *model) ids() []sale.OrderID {
	ids := make([]sale.OrderID, 0, len(m.orders))
	for id := range m.orders {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}
