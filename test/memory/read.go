package memory

import (
	"flashsale/ledger"
	"flashsale/sale"
)

// Settled reports whether this very batch has been settled, with a row for each of its orders.
func (t *Tables) Settled(b *sale.Batch) bool {
	state := ledger.NewState(nil, 0, true)
	t.readMark(state, ledger.MarkOfBatch(b))
	for i := range b.Orders {
		state.Orders[b.Orders[i].OrderID] = t.Orders[b.Orders[i].OrderID] != nil
	}
	return state.SettledBatch(b)
}

// lock copies the rows of buckets, as a transaction reads them under its locks. Buckets that do not exist are left out.
func (t *Tables) lock(buckets []sale.Bucket) map[sale.Bucket]*ledger.Row {
	stock := make(map[sale.Bucket]*ledger.Row, len(buckets))
	for _, bucket := range buckets {
		if row := t.Stock[bucket]; row != nil {
			copied := row.Row
			stock[bucket] = &copied
		}
	}
	return stock
}

// read returns what a settlement reads: closely, everything about these records; hastily, no more than the slots that the
// unique keys do not guard alone.
func (d *Database) read(records []sale.Record, closely bool) *ledger.State {
	state := ledger.NewState(d.t.lock(ledger.Buckets(records)), d.nowMS(), closely)
	d.t.readRecords(state, records)
	return state
}

func (t *Tables) readRecords(state *ledger.State, records []sale.Record) {
	for _, r := range records {
		if state.Closely && r.Batch != nil {
			t.readMark(state, ledger.MarkOfBatch(r.Batch))
		}
		if state.Closely && r.Transfer != nil {
			t.readMark(state, ledger.MarkOfTransfer(r.Transfer))
		}
		if r.Batch == nil {
			continue
		}
		for i := range r.Batch.Orders {
			t.readOrder(state, state.Stock[r.Batch.Bucket], &r.Batch.Orders[i])
		}
	}
}

func (t *Tables) readMark(state *ledger.State, m ledger.Mark) {
	if id, marked := t.Markers[m.WriteID]; marked {
		state.Markers[m.WriteID] = id
	}
	if t.Forks[m] {
		state.Forks[m] = true
	}
}

// readOrder reads whether an order has a row, what its buyer has bought, and under which keys.
func (t *Tables) readOrder(state *ledger.State, row *ledger.Row, o *sale.RecordOrder) {
	if state.Closely && t.Orders[o.OrderID] != nil {
		state.Orders[o.OrderID] = true
	}
	who := ledger.Owner{Sale: row.Sale, SKU: row.SKU, Buyer: o.Buyer}
	if state.Closely || row.Limit > 1 {
		for _, other := range t.owners[who] {
			for _, number := range other.Slots {
				state.SlotsOf(who).Set(number)
			}
		}
	}
	key := ledger.Key{Owner: who, Key: o.Key}
	if _, used := t.keys[key]; used && state.MayHaveOrders(row, who) {
		state.Keys[key] = true
	}
}
