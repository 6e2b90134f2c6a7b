package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
// Redis cannot be read, is in other epochs, or does not know every SKU.
func (j *judge) read() []check.Bucket {
	j.stored = j.database.Snapshot()
	var buckets []sale.Bucket
	for _, row := range j.stored.SortedBuckets() {
		buckets = append(buckets, row.Bucket)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	readings, err := j.redis.StockReadings(ctx, buckets, nil)
	j.stored = j.database.Snapshot()
	if err != nil {
		return nil
	}
	all := databaseBuckets(&j.stored)
	for i, row := range j.stored.SortedBuckets() {
		r, b := readings[i], &all[i]
		if r.Epoch != row.Epoch || len(r.Shelves) != len(b.Shelves) {
			return nil
		}
		b.RedisEpoch = r.Epoch
		slices.SortFunc(r.Shelves, func(a, b sale.ShelfReading) int { return strings.Compare(a.SKU, b.SKU) })
		for k, units := range j.stored.Shelves(row.Bucket) {
			has, shelf := r.Shelves[k], &b.Shelves[k]
			if has.SKU != shelf.SKU || has.Limit != units.Limit || has.Number != units.Number {
				j.watch.fault("bucket %s has %+v in redis, %+v in the database", row.Bucket, has, units)
			}
			shelf.Available = has.Available
			shelf.InFlight = has.Taken - units.SettledEpoch + units.GivenEpoch - has.Returned
		}
	}
	j.entries(all)
	return all
}

// databaseBuckets returns the buckets with their counters in the database.
func databaseBuckets(t *memory.Tables) []check.Bucket {
	var all []check.Bucket
	for _, row := range t.SortedBuckets() {
		b := check.Bucket{Sale: row.Bucket.Sale, Number: row.Number, State: string(row.State), Epoch: row.Epoch}
		for _, units := range t.Shelves(row.Bucket) {
			b.Shelves = append(b.Shelves, check.Shelf{SKU: units.SKU, Stock: sale.Stock{Loaded: units.Loaded,
				Settled: units.Settled, Released: units.Released}})
		}
		all = append(all, b)
	}
	return all
}

// entries adds the state and the owners that Redis has.
func (j *judge) entries(all []check.Bucket) {
	numbers := map[int64]string{}
	for _, item := range j.stored.Sales[saleID].Items {
		numbers[int64(item.Number)] = item.SKU
	}
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
			owners, err := gather.Owners(b.Owners, numbers, buyer, value)
			if err != nil {
				j.watch.fault("bucket %s has entries that cannot be read: %v", key, err)
			}
			b.Owners = owners
		}
	}
}

// rows returns the order rows. Their moments are those of the witness, where there is one.
func (j *judge) rows() []check.Row {
	w := j.watch
	rows := make([]check.Row, 0, len(j.stored.Orders))
	for _, o := range j.stored.SortedOrders() {
		r := check.Row{Order: o.OrderID.String(), Sale: o.Sale, Lines: linesOf(o.Lines), Buyer: o.BuyerID, Key: o.Key,
			Bucket: o.Number, Status: string(o.Status), Reason: string(o.Reason), Payment: o.PaymentID,
			Due: j.deadline(o)}
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
		Sales: map[string]check.Sale{saleID: j.given()},
		Rows:  j.rows(), Freezes: j.crowd.freezes, Buckets: buckets, Stock: check.Totals(buckets), Fates: map[string]check.Fate{},
		Waiting:   map[string]int64{"outbox rows": 0},
		ClockBack: j.plan.back, Unnoticed: j.unnoticed(), NoLatch: true,
	}
	for _, rows := range j.stored.Outbox {
		e.Waiting["outbox rows"] += int64(len(rows))
	}
	for id := range j.watch.of {
		o := j.stored.Orders[id]
		byHand := o != nil && o.Reason == sale.ReasonDeadLetter || j.database.replayed(id)
		e.Fates[id.String()] = check.Fate{MayVanish: j.watch.couldBeLost(id, false),
			MayBeRefused: byHand || j.surplus(id) || j.watch.couldBeLost(id, true)}
	}
	for _, event := range j.stored.Events {
		for k, id := range event.Orders {
			name := fmt.Sprintf("%s:%s", id, event.Status)
			if event.PayBy != nil {
				name += fmt.Sprint(":", event.PayBy[k].UnixMilli())
			}
			e.Events = append(e.Events, check.Event{ID: name, Order: id.String(), Status: string(event.Status)})
		}
	}
	for id, c := range j.stored.Changes {
		e.Changes = append(e.Changes, check.StockChange{Sale: id.Sale, SKU: id.SKU, Key: id.Key, Asked: c.Asked, Units: c.Added})
	}
	e.Ops = append(e.Ops, j.crowd.changes...)
	for _, p := range j.crowd.presses {
		e.Ops = append(e.Ops, p.op(len(e.Ops)))
	}
	for _, m := range j.crowd.moves {
		e.Ops = append(e.Ops, m.op(len(e.Ops)))
	}
	return e
}

// given returns the sale as the operators gave it: the stock of the preload, what changes under keys were answered to have
// added, and what puts have by the witness in the outbox. A take of a put that a rebuild has decided is in the item alone.
func (j *judge) given() check.Sale {
	of := j.shape.definition()
	for _, item := range j.shape.items {
		of.Loaded[item.SKU] = item.Stock
	}
	for sku, units := range j.database.puts {
		of.Loaded[sku] += units
	}
	for id, c := range j.stored.Changes {
		of.Loaded[id.SKU] += c.Added
	}
	for _, item := range j.stored.Sales[saleID].Items {
		of.Demand[item.SKU] = true
		if j.database.lost[item.SKU] {
			of.Loaded[item.SKU] = item.Stock
		}
	}
	return of
}

// op returns the press as an operation of the history. A replay shows the status in Redis, so only queued proves that the
// order has its record.
func (p *press) op(n int) history.Op {
	op := history.Op{N: n, Invoke: p.called.Microseconds(), Return: p.returned.Microseconds(), Question: history.Question{
		Verb: history.Buy, Sale: saleID, Buyer: p.buyer, Key: p.key}}
	op.Want(p.lines)
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
			Status: status, Lines: p.lines}}}
	default:
		op.Answer = history.Answer{End: history.Refused, Status: p.Outcome.Row().Status, Code: p.Outcome.String(),
			NamedSKU: p.SKU, Scope: string(p.Scope), Bought: p.Bought, Available: p.Available}
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
			Sale: saleID, Buyer: m.buyer, Order: m.id.String()}, Answer: history.Answer{End: m.end}}
	if m.verb == history.Pay {
		op.Payment = paymentOf(m.id)
	}
	return op
}
