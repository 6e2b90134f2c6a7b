package ledger

import (
	"flashsale/sale"
)

// Transfer decides one transfer, all its SKUs together. In the giving row's epoch it moves the units to the receiving bucket,
// and an outbox row credits them in Redis once; nothing else credits the receiver (rule: credit-through-outbox). A late
// transfer moves nothing, because the rebuild has loaded its units into the giving bucket. A fork closes the giving bucket, and
// so does a transfer of more units than the bucket has of a SKU.
func (p *Plan) Transfer(t *sale.Transfer) {
	m := MarkOfTransfer(t)
	at, ok := p.enter(m, p.state.Settled(m))
	if !ok {
		return
	}
	if at.late { // rule: late-transfer-moves-nothing
		return
	}
	p.leave(at.row, t)
	switch {
	case at.fork:
		p.close(at.row, ClosedByFork)
	case !p.has(t): // rule: transfer-guard
		p.close(at.row, ClosedByTransfer)
		p.LookCloser = p.LookCloser || !p.state.Closely
	default:
		receiver := p.state.Buckets[t.Receiver()]
		for _, u := range t.Units {
			p.load(at.row, u.SKU, -u.Units)
			p.load(receiver, u.SKU, u.Units)
		}
		p.credit(receiver, t.Units)
	}
}

// has reports whether the giving bucket has the units of every SKU.
func (p *Plan) has(t *sale.Transfer) bool {
	for _, u := range t.Units {
		if shelf := p.state.shelf(t.Bucket, u.SKU); shelf.Settled-shelf.Released > shelf.Loaded-u.Units {
			return false
		}
	}
	return true
}

// load adds units to those that are loaded, or removes them if negative.
func (p *Plan) load(row *Row, sku string, units int64) {
	p.state.shelf(row.Bucket, sku).Loaded += units
	p.gain(row, sku).Loaded += units
}

// credit gives units to a bucket in Redis.
func (p *Plan) credit(row *Row, units []sale.SKUUnits) {
	lines := make([]sale.OutboxLine, len(units))
	for i, u := range units {
		p.gain(row, u.SKU).GivenEpoch += u.Units
		lines[i] = p.state.shelf(row.Bucket, u.SKU).line(u.Units)
	}
	p.give(row, sale.OutboxRow{Kind: sale.OutboxCredit, Lines: lines})
}

// leave counts a transfer's units as no longer in flight, those of SKUs that the database does not have left out.
func (p *Plan) leave(row *Row, t *sale.Transfer) (known bool) {
	known = true
	for _, u := range t.Units {
		if p.state.shelf(t.Bucket, u.SKU) == nil {
			known = false
			continue
		}
		g := p.gain(row, u.SKU)
		g.SettledEpoch += u.Units
		g.MovedEpoch += u.Units
	}
	p.advance(row, t.Sequence)
	return known
}

// RefuseTransfer refuses a transfer that could not settle: in the row's epoch the giving bucket gets its units back, by a
// rebuild if another record has the same sequence or the database does not have one of the SKUs.
func (p *Plan) RefuseTransfer(t *sale.Transfer) {
	row := p.state.Buckets[t.Bucket]
	fork := p.mark(MarkOfTransfer(t))
	if t.Epoch != row.Epoch {
		return
	}
	if known := p.leave(row, t); fork || !known {
		p.close(row, ClosedByRefusal)
		return
	}
	p.credit(row, t.Units)
}
