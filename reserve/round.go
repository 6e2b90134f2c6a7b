package reserve

import (
	"context"

	"flashsale/sale"
)

// ticket is a transfer that is not known to be settled yet.
type pendingTransfer struct {
	from, to int
	epoch    int64 // of the giving bucket
	moved    int64 // units that transfers had taken from it, these included
}

// turn is one unit of the mover's work for those who seek: read Redis, and send on whoever finds enough in his bucket;
// read the books, and refuse whoever asks for more than the SKU has; for the others, take units out of the fullest
// buckets. All is read after the seekers came. Whoever hears nothing waits for the next turn.
func (r *rebalancer) round(ctx context.Context, seekers []*waitingPurchase) error {
	readings, err := r.engine.readRedis(ctx, r.buckets)
	if err != nil {
		return err
	}
	v := &skuSnapshot{readings: readings}
	left := v.retryServed(seekers)
	if len(left) == 0 {
		return nil
	}
	if v.books, err = r.engine.readDatabase(ctx, r.buckets); err != nil {
		return err
	}
	total := v.total()
	var beyond, within []*waitingPurchase
	for _, s := range left {
		if s.quantity > total {
			beyond = append(beyond, s)
		} else {
			within = append(within, s)
		}
	}
	if err := r.refuse(ctx, beyond, v); err != nil {
		return err
	}
	return r.bring(ctx, within, v)
}

// sendOn tells those to try again for whom there is enough in their buckets, in the order in which they came, and
// returns the others.
func (s *skuSnapshot) retryServed(seekers []*waitingPurchase) []*waitingPurchase {
	s.promised = make([]int64, len(s.readings))
	var left []*waitingPurchase
	for _, p := range seekers {
		if s.unpromised(p.home) < p.quantity {
			left = append(left, p)
			continue
		}
		s.promised[p.home] += p.quantity
		p.deliver(result{again: true})
	}
	return left
}

// refuse answers those who ask for more than the SKU has, if that can be proved. A bucket in doubt may hold anything, and
// a rebuild takes longer than they can wait. While units are on their way, or buckets move, they wait.
func (r *rebalancer) refuse(ctx context.Context, beyond []*waitingPurchase, v *skuSnapshot) error {
	if len(beyond) == 0 {
		return nil
	}
	if !v.whole() {
		tellAll(beyond, sale.Answer{Outcome: sale.OutcomeOverloaded})
		return nil
	}
	if v.moving() {
		return nil
	}
	again, err := r.engine.readRedis(ctx, r.buckets)
	if err != nil || !v.still(again) {
		return err
	}
	answer := sale.Answer{Outcome: sale.OutcomeNotEnough, Available: v.total()}
	if answer.Available == 0 {
		answer = sale.Answer{Outcome: sale.OutcomeSoldOut}
	}
	tellAll(beyond, answer)
	return nil
}

func tellAll(seekers []*waitingPurchase, a sale.Answer) {
	for _, s := range seekers {
		s.deliver(result{answer: a})
	}
}

// want is what those ask who wait at a bucket.
type want struct {
	to    int
	asked int64
}

// bring takes units out of other buckets for those where somebody waits. Nothing is brought to a bucket while units are on
// their way to it, so it is brought all that is asked there at once: a round takes as long as settlement, and a SKU near its
// end is not sold out before the last one. The buckets take turns, so that none gets everything.
func (r *rebalancer) bring(ctx context.Context, within []*waitingPurchase, v *skuSnapshot) error {
	r.pending = r.unsettled(v)
	served := make([]bool, len(r.buckets))
	asked := make([]int64, len(r.buckets))
	for _, s := range within {
		asked[s.home] += s.quantity
	}
	var wants []want
	for _, s := range within {
		if !v.sound(s.home) {
			s.refuse(sale.OutcomeOverloaded)
			continue
		}
		if served[s.home] || r.hasPending(s.home, v) {
			continue
		}
		served[s.home] = true // and gives to nobody in this turn
		wants = append(wants, want{s.home, asked[s.home] - v.unpromised(s.home)})
	}
	for len(wants) > 0 {
		var err error
		if wants, err = r.takeFromFullest(ctx, wants, served, v); err != nil {
			return err
		}
	}
	return nil
}

// gather has the fullest bucket give to each that wants: half, or as much as is asked. It returns what is still wanted, none
// when no bucket has anything to give.
func (r *rebalancer) takeFromFullest(ctx context.Context, wants []want, served []bool, v *skuSnapshot) ([]want, error) {
	left := wants[:0]
	for _, w := range wants {
		giver := v.fullest(served)
		if giver < 0 {
			return nil, nil
		}
		units, err := r.take(ctx, giver, w.to, w.asked, v)
		if err != nil {
			return nil, err
		}
		if w.asked -= units; w.asked > 0 {
			left = append(left, w)
		}
	}
	return left, nil
}

// take moves units of one bucket to another and returns how many; when they are fewer than asked the giver is empty.
func (r *rebalancer) take(ctx context.Context, giver, to int, asked int64, v *skuSnapshot) (int64, error) {
	id, ok := r.engine.IDs.Next() // before the circuit: one that is entered hears of a call
	if !ok {
		return 0, errNoLease
	}
	exit, ok := r.engine.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		return 0, errCircuitOpen
	}
	reply, err := r.engine.transfer(ctx, id, v.books[giver].BucketRow, to, asked, v.promised[giver])
	exit(err)
	if err != nil {
		return 0, err
	}
	v.readings[giver].Available -= reply.Units
	if reply.Units < asked {
		v.readings[giver].Available = 0
	}
	if reply.Units == 0 {
		return 0, nil
	}
	r.pending = append(r.pending, pendingTransfer{from: giver, to: to, epoch: reply.Epoch, moved: reply.Moved})
	return reply.Units, nil
}

// open returns the tickets of transfers that the books have not settled: their giving bucket is in the same epoch, and the
// database has not moved as much from it.
func (r *rebalancer) unsettled(v *skuSnapshot) []pendingTransfer {
	kept := r.pending[:0]
	for _, t := range r.pending {
		if b := &v.books[t.from]; b.Epoch == t.epoch && b.MovedEpoch < t.moved {
			kept = append(kept, t)
		}
	}
	return kept
}

// coming reports whether units are on their way to a bucket, as far as this gateway knows.
func (r *rebalancer) hasPending(to int, v *skuSnapshot) bool {
	for _, t := range r.pending {
		if t.to == to {
			return true
		}
	}
	return v.books[to].GivenEpoch > v.readings[to].Returned
}

// fullest returns the bucket with the most to spare of those that sell and were not served, -1 when none has anything.
func (s *skuSnapshot) fullest(served []bool) int {
	best, most := -1, int64(0)
	for number := range s.readings {
		if spare := s.unpromised(number); spare > most && !served[number] && s.sound(number) {
			best, most = number, spare
		}
	}
	return best
}
