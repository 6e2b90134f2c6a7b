package memory

import (
	"context"
	"fmt"

	"flashsale/ledger"
	"flashsale/sale"
)

// Settle writes deliveries in one transaction, as store.Store.Settle does: hastily first, and closely where a unique key
// objects or the ordinary case does not apply.
func (d *Database) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	return call(ctx, d, "Settle", func() (sale.Settlement, error) { return d.settle(deliveries) })
}

func (d *Database) settle(deliveries []sale.Delivery) (sale.Settlement, error) {
	records, err := d.settleable(deliveries)
	if err != nil {
		return sale.Settlement{}, err
	}
	closely := false
	plan := decide(d.read(records, closely), records)
	if len(plan.Behind) == 0 && (plan.LookCloser || d.collides(plan)) {
		closely = true
		plan = decide(d.read(records, closely), records)
	}
	for bucket, epoch := range plan.Behind {
		return sale.Settlement{}, fmt.Errorf("bucket %s in epoch %d: %w", bucket, epoch, sale.ErrBehind)
	}
	positions, err := d.positionsAfter(deliveries)
	if err != nil {
		return sale.Settlement{}, err
	}
	d.count(deliveries, positions)
	for partition, at := range positions {
		d.t.Positions[partition] = at
	}
	for i := range deliveries {
		if fence := deliveries[i].Record.Fence; fence != "" {
			d.t.Fences[fence] = true
		}
	}
	d.write(plan)
	d.closePlanned(plan)
	if d.hooks.Settled != nil {
		d.hooks.Settled(plan, closely)
	}
	return plan.Settlement, nil
}

// settleable returns the batches and transfers, or a *sale.PoisonError for the first one that can never settle.
func (d *Database) settleable(deliveries []sale.Delivery) ([]sale.Record, error) {
	var records []sale.Record
	for i := range deliveries {
		record := deliveries[i].Record
		if b := record.Batch; b != nil && (b.CreatedMS < ledger.MinMomentMS || b.CreatedMS > ledger.MaxMomentMS) {
			err := fmt.Errorf("created_ms %d is outside the times of the database", b.CreatedMS)
			return nil, &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: err}
		}
		if record.Batch != nil || record.Transfer != nil {
			records = append(records, record)
		}
	}
	for i := range deliveries {
		if err := d.t.known(deliveries[i].Record); err != nil {
			return nil, &sale.PoisonError{Index: i, Reason: sale.PoisonUnknownBucket, Err: err}
		}
	}
	if d.hooks.Poison != nil {
		if poison := d.hooks.Poison(&d.t, deliveries); poison != nil {
			return nil, poison
		}
	}
	return records, nil
}

// known returns an error for a record of a bucket or a SKU that the database does not have.
func (t *Tables) known(record sale.Record) error {
	for _, bucket := range ledger.Buckets([]sale.Record{record}) {
		if t.Buckets[bucket] == nil {
			return fmt.Errorf("bucket %s is not in the buckets table", bucket)
		}
	}
	for _, shelf := range ledger.Shelves([]sale.Record{record}) {
		if t.Stock[shelf] == nil {
			return fmt.Errorf("%s is not in the stock table", shelf)
		}
	}
	return nil
}

func decide(state *ledger.State, records []sale.Record) *ledger.Plan {
	plan := ledger.NewPlan(state)
	for i := range records {
		if records[i].Batch != nil {
			plan.Settle(records[i].Batch)
		} else {
			plan.Transfer(records[i].Transfer)
		}
	}
	return plan
}

// collides reports whether a unique key would object to a plan: a marker or an order that is there already.
func (d *Database) collides(plan *ledger.Plan) bool {
	for _, m := range plan.Markers {
		if _, marked := d.t.Markers[m.WriteID]; marked {
			return true
		}
	}
	orders := map[sale.OrderID]bool{}
	for i := range plan.Confirmed {
		o := &plan.Confirmed[i]
		if d.t.Orders[o.OrderID] != nil || orders[o.OrderID] {
			return true
		}
		orders[o.OrderID] = true
	}
	return false
}

// positionsAfter returns the positions that a settlement moves. What was not delivered by a topic has none.
func (d *Database) positionsAfter(deliveries []sale.Delivery) (map[int32]sale.Position, error) {
	moved := map[int32]sale.Position{}
	for i := range deliveries {
		del := &deliveries[i]
		if del.TopicID == "" {
			continue
		}
		at, known := moved[del.Partition]
		if !known {
			at, known = d.t.Positions[del.Partition]
		}
		if known && at.TopicID != del.TopicID {
			return nil, fmt.Errorf("position in partition %d: %w: settled from topic %s, these records are from topic %s",
				del.Partition, sale.ErrBehind, at.TopicID, del.TopicID)
		}
		if at.Next < del.Follows {
			return nil, fmt.Errorf("position in partition %d: %w", del.Partition, sale.LostTail(at.Next, del.Follows))
		}
		moved[del.Partition] = sale.Position{Partition: del.Partition, TopicID: del.TopicID, Next: max(at.Next, del.Offset+1)}
	}
	return moved, nil
}
