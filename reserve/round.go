package reserve

import (
	"context"

	"flashsale/sale"
	"flashsale/scripts"
)

// round is one unit of the rebalancer's work. It reads Redis and tells every purchase whose bucket has enough units for all its
// lines to try again. For the others it reads the database, refuses those with a line that asks for more than its SKU has, and
// brings units out of the fullest buckets for the rest. All readings are younger than the purchases. A purchase that gets no
// result waits for the next round.
func (r *rebalancer) round(ctx context.Context, waiting []*waitingPurchase) error {
	skus, taking := r.chooseSKUs(waiting)
	readings, err := r.engine.readRedis(ctx, r.buckets, skus.names)
	if err != nil {
		return err
	}
	snapshot := newStockSnapshot(skus.names, readings)
	left := snapshot.retryServed(taking)
	if len(left) == 0 {
		return nil
	}
	counters, err := r.engine.readDatabase(ctx, r.buckets, skus.names)
	if err != nil {
		return err
	}
	snapshot.setCounters(counters)
	var beyond, within []*waitingPurchase
	for _, p := range left {
		if snapshot.isBeyond(p) {
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

// retryServed tells those purchases to try again whose bucket has enough units for all their lines, in the order of their
// arrival, and returns the others.
func (s *stockSnapshot) retryServed(waiting []*waitingPurchase) []*waitingPurchase {
	var left []*waitingPurchase
	for _, p := range waiting {
		if !s.serves(p) {
			left = append(left, p)
			continue
		}
		for i, column := range p.columns {
			s.promised[s.shelf(p.home, column)] += int64(p.lines[i].Quantity)
		}
		p.deliver(result{again: true})
	}
	return left
}

func (s *stockSnapshot) serves(p *waitingPurchase) bool {
	for i, column := range p.columns {
		if s.unpromised(p.home, column) < int64(p.lines[i].Quantity) {
			return false
		}
	}
	return true
}

// lineBeyond reports whether a line of a purchase asks for more than its SKU has.
func (s *stockSnapshot) lineBeyond(p *waitingPurchase, line int) bool {
	return int64(p.lines[line].Quantity) > s.judged[p.columns[line]].total
}

// isBeyond reports whether any line does.
func (s *stockSnapshot) isBeyond(p *waitingPurchase) bool {
	for line := range p.lines {
		if s.lineBeyond(p, line) {
			return true
		}
	}
	return false
}

// refuse answers the purchases with a line that asks for more than its SKU has, if the snapshot proves that of a line. When a
// bucket is in doubt, the answer is overloaded: the bucket may have any number of units, and a rebuild takes longer than a
// purchase can wait. While units are on their way or buckets change, the purchases wait.
func (r *rebalancer) refuse(ctx context.Context, beyond []*waitingPurchase, s *stockSnapshot) error {
	again := &roundSKUs{most: len(s.skus), columns: map[string]int{}} // SKUs to read again
	var hopeful []*waitingPurchase                                    // of which a proof may succeed
	for _, p := range beyond {
		switch provable, doubtful := s.addProvable(p, again); {
		case provable:
			hopeful = append(hopeful, p)
		case doubtful:
			p.refuse(sale.OutcomeOverloaded)
		}
	}
	if len(hopeful) == 0 {
		return nil
	}
	readings, err := r.engine.readRedis(ctx, r.buckets, again.names)
	if err != nil {
		return err
	}
	proven := make([]bool, len(s.skus))
	for column, name := range s.skus {
		in, read := again.columns[name]
		proven[column] = read && s.still(column, readings, in)
	}
	if told := s.firstTold(hopeful, proven); told >= 0 {
		if sound, err := r.onLoadedServers(ctx, s, s.skus[told]); err != nil || !sound {
			return err
		}
	}
	for _, p := range hopeful {
		s.refuseProven(p, proven)
	}
	return nil
}

// firstTold returns the column of a SKU of which a purchase will be told how many units are left, -1 if there is none.
func (s *stockSnapshot) firstTold(purchases []*waitingPurchase, proven []bool) int {
	for _, p := range purchases {
		for line, column := range p.columns {
			if proven[column] && s.lineBeyond(p, line) && s.judged[column].total > 0 {
				return column
			}
		}
	}
	return -1
}

// keepsAll is more units than a bucket can have.
const keepsAll = 1 << 40

// onLoadedServers reports whether every bucket is still on the server that its epoch was loaded into, or on one that has its
// data. A Redis that went back shows too many units until somebody notices; never too few, because the books tell of the units
// that came meanwhile. So only a number of units that are left needs this. A transfer that leaves all units where they are
// compares the replication id and reports a loss.
func (r *rebalancer) onLoadedServers(ctx context.Context, s *stockSnapshot, sku string) (bool, error) {
	nothing := []scripts.TransferWant{{SKU: sku, Asked: 1, Kept: keepsAll}}
	for number := range r.buckets {
		reply, err := r.engine.askTransfer(ctx, 0, s.counters[number].BucketRow, (number+1)%len(r.buckets), nothing)
		if err != nil {
			return false, err
		}
		switch reply.Code {
		case scripts.CodeNone, scripts.CodeFull, scripts.CodeWindow: // which the script finds out after it has compared
		default:
			return false, nil
		}
	}
	return true, nil
}

// addProvable adds the SKUs by which a purchase may be refused. It reports whether there are any, and whether a bucket is in
// doubt that may have units of such a SKU.
func (s *stockSnapshot) addProvable(p *waitingPurchase, again *roundSKUs) (provable, doubtful bool) {
	for line, column := range p.columns {
		found := &s.judged[column]
		switch {
		case !s.lineBeyond(p, line):
		case !found.whole:
			doubtful = true
		case !found.moving:
			provable = true
			again.addName(s.skus[column])
		}
	}
	return provable, doubtful
}

// refuseProven answers a purchase by the first of its lines that is proven to ask for too much. Without any it waits.
func (s *stockSnapshot) refuseProven(p *waitingPurchase, proven []bool) {
	for line, column := range p.columns {
		if !proven[column] || !s.lineBeyond(p, line) {
			continue
		}
		answer := sale.Answer{Outcome: sale.OutcomeNotEnough, SKU: s.skus[column], Available: s.judged[column].total}
		if answer.Available == 0 {
			answer.Outcome = sale.OutcomeSoldOut
		}
		p.deliver(result{answer: answer})
		return
	}
}
