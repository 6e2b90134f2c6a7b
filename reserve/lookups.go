package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
	"flashsale/scripts"
)

// Holdings returns the unreleased orders of a buyer that Redis knows, oldest first. A look-up shows them until the database has
// their rows. A buyer without orders is not an error.
func (e *Engine) Holdings(ctx context.Context, b sale.Bucket, buyer string) ([]sale.Holding, error) {
	holdings, err := e.Redis.Holdings(ctx, b, buyer, func(at scripts.WriteID) bool { return e.queued(b, at) })
	if err != nil {
		return nil, fmt.Errorf("read the holdings of bucket %s: %w", b, err)
	}
	return holdings, nil
}

// Owners calls each with every buyer who owns units of the bucket, and the numbers of the items. While buyers are added it may
// pass a buyer more than once.
func (e *Engine) Owners(ctx context.Context, b sale.Bucket, each func(buyer string, numbers []int) error) error {
	return e.Redis.EachOwner(ctx, b, each)
}

// Bounds of a search in journals. Every batch of a bucket trims the bucket's journal, so a journal is long only while Kafka is
// away.
const (
	searchPage    = 500   // entries in one reading
	searchEntries = 5_000 // entries in one search
)

// Journaled finds an order in the journals of buckets: an order that Redis has taken and does not know to be in Kafka. Its
// status is queued when Kafka has acknowledged its batch to this process, and held otherwise. After 5,000 entries the error is
// the problem overloaded, because the order may be in an entry that was not read.
func (e *Engine) Journaled(ctx context.Context, buckets []sale.Bucket, id sale.OrderID) (found sale.PendingOrder, ok bool,
	err error) {
	left := searchEntries
	for _, b := range buckets {
		keys, from := e.Redis.Keys(b), scripts.JournalBeginning
		for from != "" {
			if left <= 0 {
				return found, false, sale.ProblemOf(sale.OutcomeOverloaded, "too many orders wait for Kafka to find one of them")
			}
			entries, err := e.Redis.JournalFrom(ctx, keys, from, searchPage)
			if err != nil {
				return found, false, err
			}
			left -= len(entries)
			from = ""
			for i := range entries {
				if found, ok = sale.FindPending(entries[i].Record, id); ok {
					found.Status = e.statusOf(b, entries[i].Record)
					return found, true, nil
				}
			}
			if len(entries) == searchPage {
				if from, err = scripts.AfterEntry(entries[len(entries)-1].ID); err != nil {
					return found, false, err
				}
			}
		}
	}
	return found, false, nil
}

// statusOf returns queued for a journaled batch that Kafka has acknowledged, and held for any other.
func (e *Engine) statusOf(b sale.Bucket, raw []byte) sale.OrderStatus {
	record, err := sale.DecodeRecord(raw)
	if err == nil && record.Batch != nil && e.queued(b,
		scripts.WriteID{Epoch: record.Batch.Epoch, Sequence: record.Batch.Sequence}) {
		return sale.StatusQueued
	}
	return sale.StatusHeld
}

// queued reports whether Kafka has acknowledged a batch of a bucket to this gateway a short while ago.
func (e *Engine) queued(b sale.Bucket, at scripts.WriteID) bool {
	e.mu.RLock()
	q := e.queues[b]
	e.mu.RUnlock()
	return q != nil && q.queued(at)
}
