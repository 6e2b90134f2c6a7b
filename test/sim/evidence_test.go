package sim

import (
	"context"
	"fmt"
	"time"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/check/gather"
	"flashsale/test/memory"
)

// endOfTimeMS ends the window of a simulated sale in its evidence. The evidence has virtual moments: a row was taken when
// Redis wrote its journal entry, by virtual time and not by Redis's clock. The watcher compares the sale's window with that
// clock.
const endOfTimeMS = 1 << 50

// read reads the buckets from the database and Redis at one moment: nothing else may run meanwhile. It returns nil when
// Redis cannot be read or is in other epochs.
func (j *judge) read() []check.Bucket {
	j.stored = j.database.Snapshot()
	var buckets []sale.Bucket
	for _, row := range j.stored.SortedStock() {
		buckets = append(buckets, row.Bucket)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	readings, err := j.redis.Readings(ctx, buckets)
	j.stored = j.database.Snapshot()
	if err != nil {
		return nil
	}
	all := databaseBuckets(&j.stored)
	for i, row := range j.stored.SortedStock() {
		r, b := readings[i], &all[i]
		if r.Epoch != row.Epoch {
			return nil
		}
		b.RedisEpoch, b.Available = r.Epoch, r.Available
		b.InFlight = r.Taken - row.SettledEpoch + row.GivenEpoch - r.Returned
	}
	j.entries(all)
	return all
}

// databaseBuckets returns the buckets with their counters in the database.
func databaseBuckets(t *memory.Tables) []check.Bucket {
	var all []check.Bucket
	for _, row := range t.SortedStock() {
		all = append(all, check.Bucket{Sale: row.Bucket.Sale, SKU: row.Bucket.SKU, Number: row.Number, State: string(row.State),
			Epoch: row.Epoch, Stock: sale.Stock{Loaded: row.Loaded, Settled: row.Settled, Released: row.Released}})
	}
	return all
}

// entries adds the state and the owners that Redis has.
func (j *judge) entries(all []check.Bucket) {
	server := j.cache.active()
	server.mu.Lock()
	defer server.mu.Unlock()
	for i := range all {
		b := &all[i]
		key := gather.Key(namespace, b)
		meta, _ := server.data.keys[key+"meta"].(hash)
		b.RedisState, b.Owners = meta["loaded_state"], []check.Owner{}
		entries, _ := server.data.keys[key+"buyers"].(hash)
		for buyer, value := range entries {
			owners, err := gather.Owners(b.Owners, buyer, value)
			if err != nil {
				j.watch.fault("bucket %s has entries that cannot be read: %v", key, err)
			}
			b.Owners = owners
		}
	}
}

// rowsOf returns the order rows. Their moments are those of the witness, where there is one.
func rowsOf(t *memory.Tables, w *watcher) []check.Row {
	rows := make([]check.Row, 0, len(t.Orders))
	for _, o := range t.SortedOrders() {
		r := check.Row{Order: o.OrderID.String(), Sale: o.Sale, SKU: o.SKU, Buyer: o.BuyerID, Key: o.Key, Bucket: o.Number,
			Quantity: o.Quantity, Status: string(o.Status), Reason: string(o.Reason), Payment: o.PaymentID}
		if made := w.byID[w.of[o.OrderID].batch]; len(made) > 0 {
			r.CreatedMS = made[0].at.Milliseconds()
		}
		rows = append(rows, r)
	}
	return rows
}

// evidence is everything that test/check judges of a sale at rest.
func (j *judge) evidence(buckets []check.Bucket) *check.Evidence {
	e := &check.Evidence{
		Sales: map[string]check.Sale{saleID: {EndsMS: endOfTimeMS, Limit: j.shape.limit,
			Loaded: map[string]int64{sku: j.shape.stock}, Demand: map[string]bool{sku: true}}},
		Rows: rowsOf(&j.stored, j.watch), Buckets: buckets, Stock: check.Totals(buckets), Fates: map[string]check.Fate{},
		Waiting:   map[string]int64{"outbox rows": 0},
		ClockBack: j.plan.back, Unnoticed: j.unnoticed(), NoLatch: true,
	}
	for _, rows := range j.stored.Outbox {
		e.Waiting["outbox rows"] += int64(len(rows))
	}
	for id := range j.watch.of {
		o := j.stored.Orders[id]
		byHand := o != nil && o.Reason == sale.ReasonDeadLetter
		e.Fates[id.String()] = check.Fate{MayVanish: j.watch.couldBeLost(id, false),
			MayBeRefused: byHand || j.surplus(id) || j.watch.couldBeLost(id, true)}
	}
	for _, event := range j.stored.Events {
		for _, id := range event.Orders {
			e.Events = append(e.Events, check.Event{ID: fmt.Sprintf("%s:%s", id, event.Status), Order: id.String(),
				Status: string(event.Status)})
		}
	}
	for _, p := range j.crowd.presses {
		e.Ops = append(e.Ops, p.op(len(e.Ops)))
	}
	for _, m := range j.crowd.moves {
		e.Ops = append(e.Ops, m.op(len(e.Ops)))
	}
	return e
}

// op returns the press as an operation of the history. A replay shows the status in Redis, so only queued proves that the
// order has its record.
func (p *press) op(n int) history.Op {
	op := history.Op{N: n, Invoke: p.called.Microseconds(), Return: p.returned.Microseconds(), Question: history.Question{
		Verb: history.Buy, Sale: saleID, SKU: sku, Buyer: p.buyer, Key: p.key, Quantity: p.quantity}}
	id, took := p.took()
	switch {
	case p.perhaps:
		op.Answer = history.Answer{End: history.Perhaps, Code: history.NoAnswer}
	case took:
		status := string(sale.StatusHeld)
		if p.acknowledged() {
			status = string(sale.StatusQueued)
		}
		op.Answer = history.Answer{End: history.OK, Status: p.Outcome.Row().Status, Orders: []history.Seen{{Order: id.String(),
			Status: status, SKU: sku, Quantity: p.quantity}}}
	default:
		op.Answer = history.Answer{End: history.Refused, Status: p.Outcome.Row().Status, Code: p.Outcome.String(),
			Bought:    p.Bought,
			Available: p.Available}
		if p.OrderID != 0 {
			op.Named = p.OrderID.String()
		}
		if p.open() {
			op.End = history.Perhaps
		}
	}
	return op
}

func (m *move) op(n int) history.Op {
	op := history.Op{N: n, Invoke: m.called.Microseconds(), Return: m.returned.Microseconds(),
		Question: history.Question{Verb: m.verb,
			Sale: saleID, SKU: sku, Buyer: m.buyer, Order: m.id.String()}, Answer: history.Answer{End: m.end}}
	if m.verb == history.Pay {
		op.Payment = paymentOf(m.id)
	}
	return op
}
