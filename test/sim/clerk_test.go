package sim

import (
	"context"
	"time"

	"flashsale/sale"
)

// clerk is one process's connection to the database: every call travels and may be struck by a fault.
type clerk struct{ *process }

// ask runs one transaction and returns its result. The death of the process does not stop the transaction.
func ask[T any](ctx context.Context, c clerk, what string, do func(context.Context, *database) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	found := make(chan result, 1)
	d := c.world.database
	err := c.callWithin(ctx, databasePatience, d.place, what, func() {
		value, err := do(context.WithoutCancel(ctx), d)
		found <- result{value, err}
	})
	if err != nil {
		var none T
		return none, err
	}
	r := <-found
	return r.value, r.err
}

// databasePatience is the time-out of the connections to the database.
const databasePatience = 10 * time.Second

func (c clerk) run(ctx context.Context, what string, do func(context.Context, *database) error) error {
	_, err := ask(ctx, c, what, func(ctx context.Context, d *database) (struct{}, error) { return struct{}{}, do(ctx, d) })
	return err
}

func (c clerk) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	return ask(ctx, c, "changes", func(ctx context.Context, d *database) (sale.Changes, error) { return d.Changes(ctx, since) })
}

func (c clerk) EachListed(context.Context, string, func(string) error) error { return nil }

func (c clerk) CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return ask(ctx, c, "close-buckets", func(ctx context.Context, d *database) ([]sale.BucketRow, error) {
		return d.CloseBuckets(ctx, rows)
	})
}

func (c clerk) FencesPassed(ctx context.Context, tokens []string) (bool, error) {
	return ask(ctx, c, "fences-passed", func(ctx context.Context, d *database) (bool, error) {
		return d.FencesPassed(ctx, tokens)
	})
}

func (c clerk) BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	return ask(ctx, c, "begin-loads", func(ctx context.Context, d *database) ([]sale.Load, error) {
		return d.BeginLoads(ctx, rows)
	})
}

func (c clerk) OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return ask(ctx, c, "open-buckets", func(ctx context.Context, d *database) ([]sale.BucketRow, error) {
		return d.OpenBuckets(ctx, rows)
	})
}

func (c clerk) StockCounters(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockCounters, error) {
	return ask(ctx, c, "stock-counters", func(ctx context.Context, d *database) ([]sale.StockCounters, error) {
		return d.StockCounters(ctx, buckets, skus)
	})
}

func (c clerk) Sale(ctx context.Context, id string) (sale.Sale, error) {
	return ask(ctx, c, "sale", func(ctx context.Context, d *database) (sale.Sale, error) { return d.Sale(ctx, id) })
}

func (c clerk) PutSale(ctx context.Context, wanted sale.Sale) (sale.Sale, error) {
	return ask(ctx, c, "put-sale", func(ctx context.Context, d *database) (sale.Sale, error) {
		put, _, err := d.PutSale(ctx, wanted)
		return put, err
	})
}

func (c clerk) ChangeStock(ctx context.Context, change sale.StockChange) (sale.StockChange, error) {
	return ask(ctx, c, "change-stock", func(ctx context.Context, d *database) (sale.StockChange, error) {
		return d.ChangeStock(ctx, change)
	})
}

func (c clerk) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	return ask(ctx, c, "bucket-counters", func(ctx context.Context, d *database) ([]sale.BucketCounters, error) {
		return d.BucketCounters(ctx, buckets)
	})
}

func (c clerk) ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error {
	return c.run(ctx, "report-loss", func(ctx context.Context, d *database) error {
		return d.ReportLoss(ctx, bucket, epoch, reason)
	})
}

func (c clerk) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return ask(ctx, c, "lease", func(ctx context.Context, d *database) (bool, error) {
		return d.AcquireLease(ctx, name, holder, ttl)
	})
}

func (c clerk) ReleaseLease(ctx context.Context, name, holder string) error {
	return c.run(ctx, "lease", func(ctx context.Context, d *database) error { return d.ReleaseLease(ctx, name, holder) })
}

func (c clerk) LeaseNode(ctx context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	return ask(ctx, c, "node", func(ctx context.Context, d *database) (sale.NodeLease, error) {
		return d.LeaseNode(ctx, holder, ttl)
	})
}

func (c clerk) RenewNode(ctx context.Context, l sale.NodeLease, highWaterMS int64, ttl time.Duration) error {
	return c.run(ctx, "node", func(ctx context.Context, d *database) error { return d.RenewNode(ctx, l, highWaterMS, ttl) })
}

func (c clerk) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	return ask(ctx, c, "settle", func(ctx context.Context, d *database) (sale.Settlement, error) {
		return d.Settle(ctx, deliveries)
	})
}

func (c clerk) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	return c.run(ctx, "dead-letter", func(ctx context.Context, d *database) error { return d.AddDeadLetter(ctx, letter) })
}

func (c clerk) Positions(ctx context.Context) ([]sale.Position, error) {
	return ask(ctx, c, "positions", func(ctx context.Context, d *database) ([]sale.Position, error) { return d.Positions(ctx) })
}

func (c clerk) Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error) {
	return ask(ctx, c, "outbox", func(ctx context.Context, d *database) ([]sale.OutboxRow, error) {
		return d.Outbox(ctx, maxRows)
	})
}

func (c clerk) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	return c.run(ctx, "outbox-done", func(ctx context.Context, d *database) error { return d.OutboxDone(ctx, applied) })
}

func (c clerk) ExpireOrders(ctx context.Context, limit int, freezeAfter time.Duration) (sale.Expiry, error) {
	return ask(ctx, c, "expire", func(ctx context.Context, d *database) (sale.Expiry, error) {
		return d.ExpireOrders(ctx, limit, freezeAfter)
	})
}

func (c clerk) UnpaidOrders(ctx context.Context) ([]sale.UnpaidOrders, error) {
	return ask(ctx, c, "unpaid", func(ctx context.Context, d *database) ([]sale.UnpaidOrders, error) {
		return d.UnpaidOrders(ctx)
	})
}

func (c clerk) FreezeHolds(ctx context.Context, id string) (sale.Sale, error) {
	return ask(ctx, c, "freeze", func(ctx context.Context, d *database) (sale.Sale, error) { return d.FreezeHolds(ctx, id, "") })
}

func (c clerk) BeginThaw(ctx context.Context, id string) (sale.Thaw, error) {
	return ask(ctx, c, "begin-thaw", func(ctx context.Context, d *database) (sale.Thaw, error) { return d.BeginThaw(ctx, id) })
}

func (c clerk) ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error) {
	return ask(ctx, c, "thaw", func(ctx context.Context, d *database) (sale.Thaw, error) { return d.ThawOrders(ctx, thaw) })
}

func (c clerk) Thaws(ctx context.Context, began time.Duration) ([]sale.Thaw, error) {
	return ask(ctx, c, "thaws", func(ctx context.Context, d *database) ([]sale.Thaw, error) { return d.Thaws(ctx, began) })
}

func (c clerk) ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) (sale.Order, error) {
	return ask(ctx, c, "extend", func(ctx context.Context, d *database) (sale.Order, error) {
		return d.ExtendOrder(ctx, id, payBy)
	})
}

func (c clerk) CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error) {
	return ask(ctx, c, "cancel", func(ctx context.Context, d *database) (sale.Order, error) {
		return d.CancelOrder(ctx, id, reason, buyer)
	})
}

func (c clerk) PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error) {
	return ask(ctx, c, "pay", func(ctx context.Context, d *database) (sale.Order, error) {
		return d.PayOrder(ctx, id, paymentID)
	})
}

func (c clerk) EngineID(ctx context.Context) (string, error) {
	return ask(ctx, c, "engine-id", func(ctx context.Context, d *database) (string, error) { return d.EngineID(ctx) })
}
