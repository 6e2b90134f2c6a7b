package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
	"flashsale/scripts"
)

// bringing is the second half of a round: it moves units to the buckets of waiting purchases.
type bringing struct {
	*rebalancer
	*stockSnapshot
	rank    []int  // by bucket: its place in the order of the buckets' eldest waiting purchases; the last for one without any
	refuses []bool // by bucket: it has refused a transfer in this round
}

// receiver is a bucket that needs units.
type receiver struct {
	number int
	wants  []want
}

// want is how many more units of a SKU the waiting purchases of a bucket need.
type want struct {
	column int
	asked  int64
}

// bring moves units to the buckets of waiting purchases. It moves no units of a SKU to a bucket while such units are on their
// way to it, so it moves all that the bucket's purchases need at once: a transfer takes as long as its settlement, and many
// small ones would delay the sale of a SKU's last units. The buckets take turns, so that none gets all units.
//
// A bucket keeps what its own purchases wait with, such as for the other SKUs of their orders. Two buckets may so keep the
// last units from each other that both need; then the bucket with the elder purchase gets them.
func (r *rebalancer) bring(ctx context.Context, within []*waitingPurchase, s *stockSnapshot) error {
	b := &bringing{rebalancer: r, stockSnapshot: s, rank: make([]int, len(r.buckets)), refuses: make([]bool, len(r.buckets))}
	receivers := b.receivers(within)
	for _, alsoKept := range []bool{false, true} {
		for left := receivers; len(left) > 0; {
			var err error
			if left, err = b.turn(ctx, left, alsoKept); err != nil {
				return err
			}
		}
	}
	return nil
}

// receivers sums up what the purchases need, answers those whose bucket does not sell, and returns the buckets that are to get
// units, in the order of their eldest purchases.
func (b *bringing) receivers(within []*waitingPurchase) []*receiver {
	for number := range b.rank {
		b.rank[number] = len(b.rank)
	}
	var all []*receiver // with every SKU that is asked for
	for _, p := range within {
		if !b.sound(p.home) {
			p.refuse(sale.OutcomeOverloaded)
			continue
		}
		if b.rank[p.home] == len(b.rank) {
			b.rank[p.home] = len(all)
			all = append(all, &receiver{number: p.home})
		}
		of := all[b.rank[p.home]]
		for line, column := range p.columns {
			demand := &b.demand[b.shelf(p.home, column)]
			if *demand == 0 {
				of.wants = append(of.wants, want{column: column})
			}
			*demand += int64(p.lines[line].Quantity)
		}
	}
	for _, of := range all {
		b.keepUnserved(of)
	}
	return all
}

// keepUnserved leaves a receiver the SKUs of which it has too few and none are on their way to it.
func (b *bringing) keepUnserved(of *receiver) {
	kept := of.wants[:0]
	for _, w := range of.wants {
		if w.asked = -b.spare(of.number, w.column); w.asked > 0 && !b.pending.on(of.number, w.column, b.stockSnapshot) {
			kept = append(kept, w)
		}
	}
	of.wants = kept
}

// turn takes units out of one bucket for each receiver, of as many of its SKUs as that bucket can give, and returns the
// receivers that are left: those that need more and had a giver.
func (b *bringing) turn(ctx context.Context, receivers []*receiver, alsoKept bool) ([]*receiver, error) {
	var left []*receiver
	for _, to := range receivers {
		giver := b.giver(to, alsoKept)
		if giver < 0 {
			continue
		}
		if err := b.take(ctx, giver, to, alsoKept); err != nil {
			return nil, err
		}
		if len(to.wants) > 0 {
			left = append(left, to)
		}
	}
	return left, nil
}

// giver returns the bucket that can give the most of what a receiver needs, of equal ones the fullest; -1 when none can give.
func (b *bringing) giver(to *receiver, alsoKept bool) int {
	best, bestGives, bestRoom := -1, int64(0), int64(0)
	for number := range b.buckets {
		if number == to.number || b.refuses[number] || !b.sound(number) {
			continue
		}
		var gives, rooms int64
		for _, w := range to.wants {
			room := max(0, b.room(number, to, w.column, alsoKept))
			gives += min(w.asked, room)
			rooms += room
		}
		if gives > bestGives || (gives > 0 && gives == bestGives && rooms > bestRoom) {
			best, bestGives, bestRoom = number, gives, rooms
		}
	}
	return best
}

// room is how many units of a SKU a bucket can give to a receiver: its spare ones, or with alsoKept also those that it keeps for
// its purchases, if the receiver has an elder one.
func (b *bringing) room(number int, to *receiver, column int, alsoKept bool) int64 {
	if alsoKept && b.rank[number] > b.rank[to.number] {
		return b.unpromised(number, column)
	}
	return b.spare(number, column)
}

// take moves units of one bucket to a receiver by one transfer, and lowers what the receiver wants by what it took.
func (b *bringing) take(ctx context.Context, giver int, to *receiver, alsoKept bool) error {
	id, ok := b.engine.IDs.Next()
	if !ok {
		return ErrNoLease
	}
	wants := b.wantsFrom(giver, to, alsoKept)
	reply, err := b.engine.askTransfer(ctx, id, b.counters[giver].BucketRow, to.number, wants)
	if err != nil {
		return err
	}
	if len(reply.Moved) != len(reply.Units) {
		return fmt.Errorf("transfer from %s: %d SKUs taken, %d moved", b.buckets[giver], len(reply.Units), len(reply.Moved))
	}
	b.refuses[giver] = reply.Code != scripts.CodeOK
	for i, taken := range reply.Units {
		b.pending.add(to.number, taken.SKU, pendingTransfer{from: giver, epoch: reply.Epoch, moved: reply.Moved[i].Units})
	}
	b.note(giver, to, wants, reply.Units)
	return nil
}

// wantsFrom returns what a transfer asks a bucket for.
func (b *bringing) wantsFrom(giver int, to *receiver, alsoKept bool) (wants []scripts.TransferWant) {
	for _, w := range to.wants {
		room := b.room(giver, to, w.column, alsoKept)
		if room <= 0 || len(wants) == sale.MaxTransferSKUs {
			continue
		}
		if alsoKept {
			room = min(room, w.asked) // no more than the elder purchases need
		}
		wants = append(wants, scripts.TransferWant{
			SKU: b.skus[w.column], Asked: w.asked, Kept: b.available(giver, w.column) - room,
		})
	}
	return wants
}

// note lowers the giver's units and the receiver's wants by what a transfer took. When it took less than asked, the giver has no
// more units to give.
func (b *bringing) note(giver int, to *receiver, asked []scripts.TransferWant, taken []sale.SKUUnits) {
	units, stays := map[string]int64{}, map[string]int64{}
	for _, t := range taken {
		units[t.SKU] = t.Units
	}
	for _, a := range asked {
		stays[a.SKU] = a.Kept
	}
	left := to.wants[:0]
	for _, w := range to.wants {
		sku, shelf := b.skus[w.column], &b.readings[giver].Shelves[w.column]
		shelf.Available -= units[sku]
		if most, was := stays[sku]; was && units[sku] < w.asked {
			shelf.Available = min(shelf.Available, most)
		}
		if w.asked -= units[sku]; w.asked > 0 {
			left = append(left, w)
		}
	}
	to.wants = left
}
