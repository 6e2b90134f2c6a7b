package reserve

import (
	"context"

	"flashsale/sale"
	"flashsale/scripts"
)

// Bounds of a search in journals. A journal of a bucket that sells is trimmed with every batch; it is long while Kafka is
// away.
const (
	searchPage    = 500   // entries of one reading
	searchEntries = 5_000 // of one search
)

// Journaled finds an order in the journals of some buckets: one that Redis has taken and does not know to be in Kafka. One
// whose batch this process knows to be there is queued, any other held. Beyond 5,000 entries the error is a problem
// overloaded, because nobody can say whether the order is among the rest.
func (e *Engine) Journaled(ctx context.Context, buckets []sale.Bucket, id sale.OrderID) (found sale.PendingOrder, ok bool, err error) {
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

// statusOf tells whether a journaled batch is acknowledged all the same.
func (e *Engine) statusOf(b sale.Bucket, raw []byte) sale.OrderStatus {
	record, err := sale.DecodeRecord(raw)
	if err == nil && record.Batch != nil && e.queued(b, scripts.WriteID{Epoch: record.Batch.Epoch, Sequence: record.Batch.Sequence}) {
		return sale.StatusQueued
	}
	return sale.StatusHeld
}
