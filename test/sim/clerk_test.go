package sim

import (
	"context"
	"time"

	"flashsale/sale"
)

// clerk is the database as one process reaches it: every call travels, and what becomes of it is up to chance.
type clerk struct{ *process }

// ask has one transaction done and brings its result back.
func ask[T any](ctx context.Context, c clerk, what string, do func(*books) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	found := make(chan result, 1)
	b := c.world.books
	err := c.callWithin(ctx, databasePatience, b.place, what, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		value, err := do(b)
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

func (c clerk) tell(ctx context.Context, what string, do func(*books) error) error {
	_, err := ask(ctx, c, what, func(b *books) (struct{}, error) { return struct{}{}, do(b) })
	return err
}

func (c clerk) Changes(ctx context.Context, since int64) (sale.Changes, error) {
	return ask(ctx, c, "changes", func(b *books) (sale.Changes, error) { return b.Changes(ctx, since) })
}

func (c clerk) EachListed(context.Context, string, func(string) error) error { return nil }

func (c clerk) CloseBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return ask(ctx, c, "close-buckets", func(b *books) ([]sale.BucketRow, error) { return b.CloseBuckets(ctx, rows) })
}

func (c clerk) FencesPassed(ctx context.Context, tokens []string) (bool, error) {
	return ask(ctx, c, "fences-passed", func(b *books) (bool, error) { return b.FencesPassed(ctx, tokens) })
}

func (c clerk) BeginLoads(ctx context.Context, rows []sale.BucketRow) ([]sale.Load, error) {
	return ask(ctx, c, "begin-loads", func(b *books) ([]sale.Load, error) { return b.BeginLoads(ctx, rows) })
}

func (c clerk) OpenBuckets(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	return ask(ctx, c, "open-buckets", func(b *books) ([]sale.BucketRow, error) { return b.OpenBuckets(ctx, rows) })
}

func (c clerk) BucketCounters(ctx context.Context, buckets []sale.Bucket) ([]sale.BucketCounters, error) {
	return ask(ctx, c, "bucket-books", func(b *books) ([]sale.BucketCounters, error) { return b.BucketCounters(ctx, buckets) })
}

func (c clerk) ReportLoss(ctx context.Context, bucket sale.Bucket, epoch int64, reason string) error {
	return c.tell(ctx, "report-loss", func(b *books) error { return b.ReportLoss(ctx, bucket, epoch, reason) })
}

func (c clerk) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return ask(ctx, c, "lease", func(b *books) (bool, error) { return b.AcquireLease(ctx, name, holder, ttl) })
}

func (c clerk) ReleaseLease(ctx context.Context, name, holder string) error {
	return c.tell(ctx, "lease", func(b *books) error { return b.ReleaseLease(ctx, name, holder) })
}

func (c clerk) LeaseNode(ctx context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	return ask(ctx, c, "node", func(b *books) (sale.NodeLease, error) { return b.LeaseNode(ctx, holder, ttl) })
}

func (c clerk) RenewNode(ctx context.Context, l sale.NodeLease, highWaterMS int64, ttl time.Duration) error {
	return c.tell(ctx, "node", func(b *books) error { return b.RenewNode(ctx, l, highWaterMS, ttl) })
}

func (c clerk) Settle(ctx context.Context, deliveries []sale.Delivery) (sale.Settlement, error) {
	return ask(ctx, c, "settle", func(b *books) (sale.Settlement, error) { return b.Settle(ctx, deliveries) })
}

func (c clerk) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	return c.tell(ctx, "dead-letter", func(b *books) error {
		b.bury(letter)
		return nil
	})
}

func (c clerk) Positions(ctx context.Context) ([]sale.Position, error) {
	return ask(ctx, c, "positions", func(b *books) ([]sale.Position, error) { return b.Positions(ctx) })
}

func (c clerk) Outbox(ctx context.Context, maxRows int) ([]sale.OutboxRow, error) {
	return ask(ctx, c, "outbox", func(b *books) ([]sale.OutboxRow, error) { return b.Outbox(ctx, maxRows) })
}

func (c clerk) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	return c.tell(ctx, "outbox-done", func(b *books) error { return b.OutboxDone(ctx, applied) })
}

func (c clerk) ExpireOrders(ctx context.Context, limit int) (int, error) {
	return ask(ctx, c, "expire", func(b *books) (int, error) { return b.ExpireOrders(ctx, limit) })
}

func (c clerk) CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error) {
	return ask(ctx, c, "cancel", func(b *books) (sale.Order, error) { return b.CancelOrder(ctx, id, reason, buyer) })
}

func (c clerk) PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error) {
	return ask(ctx, c, "pay", func(b *books) (sale.Order, error) { return b.PayOrder(ctx, id, paymentID) })
}

func (c clerk) EngineID(ctx context.Context) (string, error) {
	return ask(ctx, c, "engine-id", func(b *books) (string, error) { return b.EngineID(ctx) })
}
