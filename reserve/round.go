package reserve

import (
	"context"

	"flashsale/sale"
)

// pendingTransfer is a transfer that is not known to be settled yet.
type pendingTransfer struct {
	from, to int
	epoch    int64 // of the giving bucket
	moved    int64 // units that transfers have taken from it, including these
}

// round is one unit of the rebalancer's work. It reads Redis and tells every purchase that has enough units in its bucket to
// try again. For the others it reads the database, refuses those that ask for more than the SKU has, and takes units out of
// the fullest buckets for the rest. All readings are younger than the purchases. A purchase that gets no result waits for
// the next round.
func (r *rebalancer) round(ctx context.Context, waiting []*waitingPurchase) error {
	readings, err := r.engine.readRedis(ctx, r.buckets)
	if err != nil {
		return err
	}
	snapshot := &skuSnapshot{readings: readings}
	left := snapshot.retryServed(waiting)
	if len(left) == 0 {
		return nil
	}
	if snapshot.counters, err = r.engine.readDatabase(ctx, r.buckets); err != nil {
		return err
	}
	total := snapshot.total()
	var beyond, within []*waitingPurchase
	for _, p := range left {
		if p.quantity > total {
			beyond = append(beyond, p)
		} else {
			within = append(within, p)
		}
	}
	if err := r.refuse(ctx, beyond, snapshot); err != nil {
		return err
	}
	return r.bring(ctx, within, snapshot)
}

// retryServed tells those purchases to try again whose bucket has enough units for them, in the order of their arrival, and
// returns the others.
func (s *skuSnapshot) retryServed(waiting []*waitingPurchase) []*waitingPurchase {
	s.promised = make([]int64, len(s.readings))
	var left []*waitingPurchase
	for _, p := range waiting {
		if s.unpromised(p.home) < p.quantity {
			left = append(left, p)
			continue
		}
		s.promised[p.home] += p.quantity
		p.deliver(result{again: true})
	}
	return left
}

// refuse answers the purchases that ask for more than the SKU has, if the snapshot proves it. When a bucket is in doubt, the
// answer is overloaded: the bucket may have any number of units, and a rebuild takes longer than a purchase can wait. While
// units are on their way or buckets change, the purchases wait.
func (r *rebalancer) refuse(ctx context.Context, beyond []*waitingPurchase, snapshot *skuSnapshot) error {
	if len(beyond) == 0 {
		return nil
	}
	if !snapshot.whole() {
		deliverAll(beyond, sale.Answer{Outcome: sale.OutcomeOverloaded})
		return nil
	}
	if snapshot.moving() {
		return nil
	}
	again, err := r.engine.readRedis(ctx, r.buckets)
	if err != nil || !snapshot.still(again) {
		return err
	}
	answer := sale.Answer{Outcome: sale.OutcomeNotEnough, Available: snapshot.total()}
	if answer.Available == 0 {
		answer = sale.Answer{Outcome: sale.OutcomeSoldOut}
	}
	deliverAll(beyond, answer)
	return nil
}

func deliverAll(waiting []*waitingPurchase, a sale.Answer) {
	for _, p := range waiting {
		p.deliver(result{answer: a})
	}
}

// want is how many units the waiting purchases of one bucket need.
type want struct {
	to    int
	asked int64
}

// bring moves units to the buckets of waiting purchases. It moves nothing to a bucket while units are on their way to it, so
// it moves all units that the bucket's purchases need at once: a transfer takes as long as its settlement, and many small
// ones would delay the sale of a SKU's last units. The buckets take turns, so that none gets all units.
func (r *rebalancer) bring(ctx context.Context, within []*waitingPurchase, snapshot *skuSnapshot) error {
	r.pending = r.unsettled(snapshot)
	served := make([]bool, len(r.buckets))
	asked := make([]int64, len(r.buckets))
	for _, p := range within {
		asked[p.home] += p.quantity
	}
	var wants []want
	for _, p := range within {
		if !snapshot.sound(p.home) {
			p.refuse(sale.OutcomeOverloaded)
			continue
		}
		if served[p.home] || r.hasPending(p.home, snapshot) {
			continue
		}
		served[p.home] = true // it gives no units in this round
		wants = append(wants, want{p.home, asked[p.home] - snapshot.unpromised(p.home)})
	}
	for len(wants) > 0 {
		var err error
		if wants, err = r.takeFromFullest(ctx, wants, served, snapshot); err != nil {
			return err
		}
	}
	return nil
}

// takeFromFullest takes units out of the fullest bucket for each want: half of its units, or as many as asked. It returns the
// wants that are left, none when no bucket has units to give.
func (r *rebalancer) takeFromFullest(ctx context.Context, wants []want, served []bool, snapshot *skuSnapshot) ([]want, error) {
	left := wants[:0]
	for _, w := range wants {
		giver := snapshot.fullest(served)
		if giver < 0 {
			return nil, nil
		}
		units, err := r.take(ctx, giver, w.to, w.asked, snapshot)
		if err != nil {
			return nil, err
		}
		if w.asked -= units; w.asked > 0 {
			left = append(left, w)
		}
	}
	return left, nil
}

// take moves units of one bucket to another and returns how many. When they are fewer than asked, the giver is empty.
func (r *rebalancer) take(ctx context.Context, giver, to int, asked int64, snapshot *skuSnapshot) (int64, error) {
	id, ok := r.engine.IDs.Next() // before the circuit: once entered, the circuit must be told of a call
	if !ok {
		return 0, errNoLease
	}
	exit, ok := r.engine.Breaker.Enter(sale.ResourceRedis)
	if !ok {
		return 0, errCircuitOpen
	}
	reply, err := r.engine.transfer(ctx, id, snapshot.counters[giver].BucketRow, to, asked, snapshot.promised[giver])
	exit(err)
	if err != nil {
		return 0, err
	}
	snapshot.readings[giver].Available -= reply.Units
	if reply.Units < asked {
		snapshot.readings[giver].Available = 0
	}
	if reply.Units == 0 {
		return 0, nil
	}
	r.pending = append(r.pending, pendingTransfer{from: giver, to: to, epoch: reply.Epoch, moved: reply.Moved})
	return reply.Units, nil
}

// unsettled returns the pending transfers that the database has not settled: their giving bucket is in the same epoch, and
// the database has moved fewer units from it.
func (r *rebalancer) unsettled(snapshot *skuSnapshot) []pendingTransfer {
	kept := r.pending[:0]
	for _, t := range r.pending {
		if c := &snapshot.counters[t.from]; c.Epoch == t.epoch && c.MovedEpoch < t.moved {
			kept = append(kept, t)
		}
	}
	return kept
}

// hasPending reports whether units are on their way to a bucket, as far as this gateway knows.
func (r *rebalancer) hasPending(to int, snapshot *skuSnapshot) bool {
	for _, t := range r.pending {
		if t.to == to {
			return true
		}
	}
	return snapshot.counters[to].GivenEpoch > snapshot.readings[to].Returned
}
