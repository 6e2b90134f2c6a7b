package reserve

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

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
	members, size, err := w.members(first)
	switch {
	case err != nil:
		w.refuse(sale.Answer{Outcome: sale.OutcomeUnavailable})
		return false, err
	case size != first.ListSize:
		reason := fmt.Sprintf("list %d has %d buyers, not %d", first.ListVersion, size, first.ListSize)
		w.engine.reporter.report(w.bucket, first.Epoch, reason)
		w.refuse(sale.Answer{Outcome: sale.OutcomeFenced, Reason: reason})
		return false, nil
	}
	kept := w.batch[:0]
	for i, r := range w.batch {
		if members[i] == 1 {
			kept = append(kept, r)
		} else {
			r.reply(sale.Answer{Outcome: sale.OutcomeNotEligible})
		}
	}
	w.batch, w.orderIDs = kept, w.orderIDs[:len(kept)]
	return len(kept) > 0, nil
}

// members reads, for each purchase of the batch, 1 when its buyer is on the list, and the size of the list.
func (w *batchWorker) members(p sale.Purchase) (members []int64, size int64, err error) {
	redis := w.engine.Redis
	key := redis.listKey(p.Bucket.Sale, p.ListVersion)
	buyers := make([]string, len(w.batch))
	for i, r := range w.batch {
		buyers[i] = r.purchase.Buyer
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	err = redis.pipeline(ctx, 2, func(c rueidis.Client, i int) rueidis.Completed {
		if i == 0 {
			return c.B().Smismember().Key(key).Member(buyers...).Build()
		}
		return c.B().Scard().Key(key).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		if i == 0 {
			members, err = result.AsIntSlice()
		} else {
			size, err = result.AsInt64()
		}
		return err
	})
	if err == nil && len(members) != len(w.batch) {
		err = fmt.Errorf("%d members asked, %d answered", len(w.batch), len(members))
	}
	return members, size, err
}
