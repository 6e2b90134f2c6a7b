package memory

import (
	"flashsale/ledger"
	"flashsale/sale"
)

// Settled reports whether this very batch has been settled, with a row for each of its orders.
func (t *Tables) Settled(b *sale.Batch) bool {
	state := ledger.NewState(nil, nil, 0, true)
	t.readMark(state, ledger.MarkOfBatch(b))
	for i := range b.Orders {
		state.Orders[b.Orders[i].OrderID] = t.Orders[b.Orders[i].OrderID] != nil
	}
	return state.SettledBatch(b)
}

// locked returns a state with copies of the rows of buckets and of all their shelves, as a transaction reads them under its
// locks. What does not exist is left out.
func (d *Database) locked(buckets []sale.Bucket, closely bool) *ledger.State {
	state := ledger.NewState(map[sale.Bucket]*ledger.Row{}, map[sale.Shelf]*ledger.Units{}, d.nowMS(), closely)
	for _, bucket := range buckets {
		if row := d.t.Buckets[bucket]; row != nil {
			copied := row.Row
			state.Buckets[bucket] = &copied
		}
	}
	for shelf, units := range d.t.Stock {
		if state.Buckets[shelf.Bucket] != nil {
			copied := *units
			state.Stock[shelf] = &copied
		}
	}
	return state
}

// read returns what a settlement reads: the rows and what the buyers have bought, and closely everything else about these
// records.
func (d *Database) read(records []sale.Record, closely bool) *ledger.State {
	state := d.locked(ledger.Buckets(records), closely)
	d.t.readRecords(state, records)
	return state
}

func (t *Tables) readRecords(state *ledger.State, records []sale.Record) {
	var batches []*sale.Batch
	for _, r := range records {
		if r.Batch != nil {
			batches = append(batches, r.Batch)
		}
	}
	for _, who := range ledger.OwnersOf(batches) {
		t.readBought(state, who)
	}
	t.readThaws(state, batches)
	if !state.Closely {
		return
	}
	for _, r := range records {
		if r.Transfer != nil {
			t.readMark(state, ledger.MarkOfTransfer(r.Transfer))
			continue
		}
		t.readMark(state, ledger.MarkOfBatch(r.Batch))
		for i := range r.Batch.Orders {
			if id := r.Batch.Orders[i].OrderID; t.Orders[id] != nil {
				state.Orders[id] = true
			}
		}
	}
}

// readThaws reads the thaws of the sales of batches.
func (t *Tables) readThaws(state *ledger.State, batches []*sale.Batch) {
	state.Thaws = map[string][]ledger.Thaw{}
	for _, b := range batches {
		if of := t.Sales[b.Sale]; of != nil && len(state.Thaws[b.Sale]) < len(of.Thaws) {
			for _, thaw := range of.Thaws {
				state.Thaws[b.Sale] = append(state.Thaws[b.Sale], thaw.Thaw)
			}
		}
	}
}

// readBought reads what a buyer has bought in a sale, and under which keys.
func (t *Tables) readBought(state *ledger.State, who ledger.Owner) {
	for _, o := range t.owners[who] {
		bought := state.BoughtBy(who)
		if o.Counts() {
			for _, line := range o.Lines {
				bought.Units[line.SKU] += line.Quantity
			}
		}
		if o.Key != "" && o.Status != sale.StatusRefused {
			bought.Keys[o.Key] = true
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
