package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// onlyListed asks Redis which buyers of the batch are on the list of a listed sale, and answers the others. It reports whether
// any purchase is left, and otherwise the result for Redis's circuit breaker. When Redis does not have the whole list, the
// batch is fenced, so no buyer is refused by mistake. The order ids beyond the remaining purchases are not used.
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
	w.highest = w.queue.seen(first.Epoch) // other workers may have seen more meanwhile
	return len(kept) > 0, nil
}
