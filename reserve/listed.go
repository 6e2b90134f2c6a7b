package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// onlyListed asks, for the whole batch at once, who is on the list of a listed sale, and answers the others. It reports
// whether anybody is left, and otherwise what the circuit breaker of Redis hears. A list that is not whole in Redis refuses
// nobody by mistake: the batch is fenced. The order ids of those who go are left over.
func (w *batchWorker) onlyListed() (left bool, err error) {
	first := w.batch[0].purchase
	if first.ListVersion == 0 {
		return true, nil
	}
	buyers := make([]string, len(w.batch))
	for i, r := range w.batch {
		buyers[i] = r.purchase.Buyer
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	members, size, err := w.engine.Redis.Listed(ctx, first.Bucket.Sale, first.ListVersion, buyers)
	switch {
	case err != nil:
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return false, err
	case size != first.ListSize:
		reason := fmt.Sprintf("list %d has %d buyers, not %d", first.ListVersion, size, first.ListSize)
		w.engine.reporter.report(w.queue.bucket, first.Epoch, reason)
		w.refuse(sale.Answer{Outcome: sale.OutcomeFenced, Reason: reason})
		return false, nil
	}
	kept := w.batch[:0]
	for i, r := range w.batch {
		if members[i] {
			kept = append(kept, r)
		} else {
			r.reply(sale.Answer{Outcome: sale.OutcomeNotEligible})
		}
	}
	w.batch, w.orderIDs = kept, w.orderIDs[:len(kept)]
	return len(kept) > 0, nil
}
