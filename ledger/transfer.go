package ledger

import (
	"flashsale/sale"
)

// Transfer decides one transfer. In the giving row's epoch it moves the units to the receiving bucket, and an outbox row
// credits them in Redis once; nothing else credits the receiver (rule: credit-through-outbox). A late transfer moves nothing,
// because the rebuild has loaded its units into the giving bucket. A fork closes the giving bucket, and so does a transfer of
// more units than the row has.
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
	case at.row.Settled-at.row.Released > at.row.Loaded-t.Units: // rule: transfer-guard
		p.close(at.row, ClosedByTransfer)
		p.LookCloser = p.LookCloser || !p.state.Closely
	default:
		receiver := p.state.Stock[t.Receiver()]
		at.row.Loaded -= t.Units
		p.move(at.row).Loaded -= t.Units
		receiver.Loaded += t.Units
		p.move(receiver).Loaded += t.Units
		p.give(receiver, sale.OutboxCredit, t.Units, nil)
	}
}

// leave counts a transfer's units as no longer in flight.
func (p *Plan) leave(row *Row, t *sale.Transfer) {
	m := p.move(row)
	m.SettledEpoch += t.Units
	m.MovedEpoch += t.Units
	p.advance(row, t.Sequence)
}

// RefuseTransfer refuses a transfer that could not settle: in the row's epoch the giving bucket gets its units back.
func (p *Plan) RefuseTransfer(t *sale.Transfer) {
	row := p.state.Stock[t.Bucket]
	fork := p.mark(MarkOfTransfer(t))
	if t.Epoch != row.Epoch {
		return
	}
	p.leave(row, t)
	if fork {
		p.close(row, ClosedByRefusal)
		return
	}
	p.give(row, sale.OutboxCredit, t.Units, nil)
}
