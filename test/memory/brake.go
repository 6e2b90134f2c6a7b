package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"flashsale/sale"
)

// Brake is the row of the brake of purchases.
type Brake struct {
	sale.Brake
	Until   time.Time
	Version int64 // of the catalogue, when it last changed
}

// Brake returns the brake of purchases, nil while there is none or after it ran out.
func (d *Database) Brake(ctx context.Context) (*sale.Brake, error) {
	return call(ctx, d, "Brake", func() (*sale.Brake, error) {
		if present := d.brake(); present.On() {
			return &present, nil
		}
		return nil, nil
	})
}

func (d *Database) brake() sale.Brake {
	present := d.t.Brake.Brake
	present.Left = d.t.Brake.Until.Sub(d.now())
	return present
}

// SetBrake begins, changes or renews the brake, or ends it for nil.
func (d *Database) SetBrake(ctx context.Context, next *sale.Brake, lasting time.Duration) error {
	return d.run(ctx, "SetBrake", func() error {
		present := d.brake()
		if next == nil && present.PerSecond == 0 {
			return nil
		}
		wanted := sale.Brake{Since: present.Since}
		if next != nil {
			wanted.Reason, wanted.PerSecond, wanted.PerGateway = next.Reason, next.PerSecond, next.PerGateway
		}
		if next != nil && !present.On() {
			wanted.Since = sale.Time{Time: d.now()}
		}
		d.t.Version++
		d.t.Brake = Brake{wanted, d.now().Add(lasting), d.t.Version}
		return nil
	})
}

// Headway returns how far each partition has settled, with the orders counted, sorted.
func (d *Database) Headway(ctx context.Context) ([]sale.Headway, error) {
	return call(ctx, d, "Headway", func() ([]sale.Headway, error) {
		var all []sale.Headway
		for partition, at := range d.t.Positions {
			all = append(all, sale.Headway{Partition: partition, Next: at.Next, Orders: d.t.Counted[partition]})
		}
		slices.SortFunc(all, func(a, b sale.Headway) int { return cmp.Compare(a.Partition, b.Partition) })
		return all, nil
	})
}

// count counts the orders of the deliveries in the partitions whose position they move.
func (d *Database) count(deliveries []sale.Delivery, moved map[int32]sale.Position) {
	for i := range deliveries {
		del := &deliveries[i]
		before, known := d.t.Positions[del.Partition]
		forward := !known || before.Next < moved[del.Partition].Next
		if del.TopicID != "" && del.Record.Batch != nil && forward {
			d.t.Counted[del.Partition] += int64(len(del.Record.Batch.Orders))
		}
	}
}

// EventOrders returns the orders in the events that are not published yet.
func (d *Database) EventOrders(ctx context.Context) (int64, error) {
	return call(ctx, d, "EventOrders", func() (int64, error) {
		orders := 0
		for _, e := range d.t.Events {
			orders += len(e.Orders)
		}
		return int64(orders), nil
	})
}

// LiveGateways returns the number of gateways that were seen within a time.
func (d *Database) LiveGateways(ctx context.Context, within time.Duration) (int64, error) {
	return call(ctx, d, "LiveGateways", func() (live int64, err error) {
		for _, g := range d.t.Gateways {
			if g.Seen.After(d.now().Add(-within)) {
				live++
			}
		}
		return live, nil
	})
}
