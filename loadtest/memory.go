package loadtest

import (
	"fmt"
	"slices"

	"flashsale/sale"
)

// Memory is the answers to the buyers of one sale, from one or several histories: about 400 bytes per buyer.
type Memory struct {
	sale    string
	answers int64
	buyers  map[string]*remembered
	orders  map[sale.OrderID]*promise
	keys    map[pressKey]sale.OrderID // first order promised under a key
	doubts  map[pressKey][][]Asked    // presses that perhaps became an order and have no later answer
	forks   []fork                    // keys under which a second order was promised
	clashes []string                  // orders that were promised to two buyers, or for two sets of lines
}

// remembered is what one buyer was told.
type remembered struct {
	skus    []string  // of the presses that were answered
	perhaps [][]Asked // presses that may have been taken without an answer to the buyer
	untold  []untold  // the buyer's rows that were never promised
}

// untold is a row of which no answer tells.
type untold struct {
	id    sale.OrderID
	lines []sale.Line
}

// promise is an order id that a buyer was told.
type promise struct {
	buyer  string
	lines  []Asked // of the press that became the order; nil: the answer was about an earlier order
	row    bool    // a row of this buyer with these lines has the id
	stands bool    // the row is confirmed or paid
}

// pressKey is one idempotency key of one buyer; all presses of a buyer without a key share the empty key.
type pressKey struct{ buyer, key string }

// fork is one press that was answered with two order ids. It happens only when Redis lost writes, and then at most one
// of the two may become a confirmed or paid order.
type fork struct{ first, second sale.OrderID }

// NewMemory returns an empty memory for the answers of one sale.
func NewMemory(saleID string) *Memory {
	return &Memory{
		sale: saleID, buyers: map[string]*remembered{}, orders: map[sale.OrderID]*promise{},
		keys: map[pressKey]sale.OrderID{}, doubts: map[pressKey][][]Asked{},
	}
}

// Add records one answer and skips answers of other sales. It is the callback of ReadHistory.
func (m *Memory) Add(t Told) error {
	if t.Sale != m.sale {
		return nil
	}
	m.answers++
	buyer := m.buyers[t.Buyer]
	if buyer == nil {
		buyer = &remembered{}
		m.buyers[t.Buyer] = buyer
	}
	for _, line := range t.Lines {
		if !slices.Contains(buyer.skus, line.SKU) {
			buyer.skus = append(buyer.skus, line.SKU)
		}
	}
	at := pressKey{t.Buyer, t.Key}
	switch t.kind() {
	case kindPerhaps:
		m.doubt(at, t.Lines)
	case kindOrder:
		m.promise(at, &t)
	}
	return nil
}

// doubt records a press that may have become an order.
func (m *Memory) doubt(at pressKey, lines []Asked) {
	same := func(known []Asked) bool { return sameLines(known, lines) }
	if !slices.ContainsFunc(m.doubts[at], same) {
		m.doubts[at] = append(m.doubts[at], lines)
	}
}

// promise records an order id, and that the presses with its key are no longer in doubt: a key has one order.
func (m *Memory) promise(at pressKey, t *Told) {
	var lines []Asked
	if t.ofThisPress() {
		lines = t.Lines
	}
	known := m.orders[t.orderID]
	switch {
	case known == nil:
		known = &promise{buyer: at.buyer, lines: lines}
		m.orders[t.orderID] = known
	case known.buyer != at.buyer:
		m.clashes = append(m.clashes, fmt.Sprintf("order %s was promised to buyer %s and to buyer %s",
			t.orderID, known.buyer, at.buyer))
	case known.lines == nil:
		known.lines = lines
	case lines != nil && !sameLines(known.lines, lines):
		m.clashes = append(m.clashes, fmt.Sprintf("buyer %s was promised order %s for %s and for %s",
			at.buyer, t.orderID, textOf(known.lines), textOf(lines)))
	}
	if t.Key == "" || t.Code == sale.OutcomeAlreadyBought.String() {
		return // already_bought returns the buyer's latest order, whatever its key
	}
	delete(m.doubts, at)
	switch first, pressed := m.keys[at]; {
	case !pressed:
		m.keys[at] = t.orderID
	case first != t.orderID:
		m.forks = append(m.forks, fork{first, t.orderID})
	}
}

// seen compares one order row with the answers.
func (m *Memory) seen(o *sale.Order, stands bool) {
	told := m.orders[o.OrderID]
	if told != nil && told.buyer == o.BuyerID && (told.lines == nil || fits(told.lines, o.Lines)) {
		told.row, told.stands = true, stands
		return
	}
	// A refused row without an answer is a batch that was settled too late: nothing was promised, nothing is owned.
	buyer := m.buyers[o.BuyerID]
	if buyer != nil && o.Status != sale.StatusRefused && slices.ContainsFunc(buyer.skus, o.Has) {
		buyer.untold = append(buyer.untold, untold{o.OrderID, slices.Clone(o.Lines)})
	}
}

// judgeMemory compares the promises with the rows that were seen.
func (j *judge) judgeMemory() {
	var lost int64
	counts := &ToldCounts{Answers: j.memory.answers, Buyers: int64(len(j.memory.buyers)), Orders: int64(len(j.memory.orders))}
	for id, told := range j.memory.orders {
		if !told.row {
			lost++
			j.example("buyer %s was promised order %s, of which there is no such row: %s", told.buyer, id, textOf(told.lines))
		}
	}
	for at, lines := range j.memory.doubts {
		buyer := j.memory.buyers[at.buyer]
		buyer.perhaps = append(buyer.perhaps, lines...)
	}
	rows := j.judgeUntold(counts)
	for _, f := range j.memory.forks {
		if j.memory.orders[f.first].stands && j.memory.orders[f.second].stands {
			j.verdict.Duplicated++
			j.example("one press became the orders %s and %s", f.first, f.second)
		}
	}
	for _, clash := range j.memory.clashes {
		j.verdict.Duplicated++
		j.example("%s", clash)
	}
	j.verdict.Lost, j.verdict.Untold, j.verdict.Told = &lost, &rows, counts
}

// judgeUntold counts the rows of buyers of which no answer tells, except those that a press in doubt explains.
func (j *judge) judgeUntold(counts *ToldCounts) (rows int64) {
	for id, buyer := range j.memory.buyers {
		if len(buyer.perhaps) > 0 {
			counts.Perhaps++
		}
		for _, row := range buyer.untold {
			if slices.ContainsFunc(buyer.perhaps, func(asked []Asked) bool { return fits(asked, row.lines) }) {
				continue
			}
			rows++
			j.example("buyer %s has order %s, which no answer mentions: %s", id, row.id, textOf(askedBy(row.lines)))
		}
	}
	return rows
}
