package loadtest

import (
	"fmt"

	"flashsale/sale"
)

// Memory is the answers to the buyers of one sale, from one or several histories: about 300 bytes per buyer.
type Memory struct {
	sale    string
	answers int64
	buyers  map[holder]*remembered
	orders  map[sale.OrderID]*promise
	keys    map[pressKey]sale.OrderID // first order promised under a key
	doubts  map[pressKey]struct{}     // presses that perhaps became an order and have no later answer
	forks   []fork                    // keys under which a second order was promised
	clashes []string                  // orders that were promised to two buyers
}

// remembered is what one buyer was told about one SKU.
type remembered struct {
	perhaps bool // some press may have been taken without an answer to the buyer
	untold  int  // the buyer's rows that were never promised
}

// promise is an order id that a buyer was told.
type promise struct {
	holder
	row    bool // a row of this buyer and SKU has the id
	stands bool // the row is confirmed or paid
}

// pressKey is one idempotency key of one buyer; all presses of a buyer without a key share the empty key.
type pressKey struct {
	holder
	key string
}

// fork is one press that was answered with two order ids. It happens only when Redis lost writes, and then at most one
// of the two may become a confirmed or paid order.
type fork struct{ first, second sale.OrderID }

// NewMemory returns an empty memory for the answers of one sale.
func NewMemory(saleID string) *Memory {
	return &Memory{
		sale: saleID, buyers: map[holder]*remembered{}, orders: map[sale.OrderID]*promise{},
		keys: map[pressKey]sale.OrderID{}, doubts: map[pressKey]struct{}{},
	}
}

// Add records one answer and skips answers of other sales. It is the callback of ReadHistory.
func (m *Memory) Add(t Told) error {
	if t.Sale != m.sale {
		return nil
	}
	m.answers++
	who := holder{t.SKU, t.Buyer}
	if m.buyers[who] == nil {
		m.buyers[who] = &remembered{}
	}
	at := pressKey{who, t.Key}
	switch t.kind() {
	case kindPerhaps:
		m.doubts[at] = struct{}{}
	case kindOrder:
		m.promise(at, &t)
	}
	return nil
}

// promise records an order id, and that the press with its key is no longer in doubt.
func (m *Memory) promise(at pressKey, t *Told) {
	switch known := m.orders[t.orderID]; {
	case known == nil:
		m.orders[t.orderID] = &promise{holder: at.holder}
	case known.holder != at.holder:
		m.clashes = append(m.clashes, fmt.Sprintf("order %s was promised to buyer %s of %s and to buyer %s of %s",
			t.orderID, known.buyer, known.sku, at.buyer, at.sku))
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
	if told := m.orders[o.OrderID]; told != nil && told.buyer == o.BuyerID && o.Has(told.sku) {
		told.row, told.stands = true, stands
		return
	}
	// A refused row without an answer is a batch that was settled too late: nothing was promised, nothing is owned.
	for i := range o.Lines {
		if buyer := m.buyers[holder{o.Lines[i].SKU, o.BuyerID}]; buyer != nil && o.Status != sale.StatusRefused {
			buyer.untold++
			return
		}
	}
}

// judgeMemory compares the promises with the rows that were seen.
func (j *judge) judgeMemory() {
	var lost, untold int64
	counts := &ToldCounts{Answers: j.memory.answers, Buyers: int64(len(j.memory.buyers)), Orders: int64(len(j.memory.orders))}
	for id, told := range j.memory.orders {
		if !told.row {
			lost++
			j.example("%s: buyer %s was promised order %s, which has no row", told.sku, told.buyer, id)
		}
	}
	for at := range j.memory.doubts {
		j.memory.buyers[at.holder].perhaps = true
	}
	for who, buyer := range j.memory.buyers {
		if buyer.perhaps {
			counts.Perhaps++
			continue
		}
		if buyer.untold > 0 {
			untold += int64(buyer.untold)
			j.example("%s: buyer %s has %d orders that no answer mentions", who.sku, who.buyer, buyer.untold)
		}
	}
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
	j.verdict.Lost, j.verdict.Untold, j.verdict.Told = &lost, &untold, counts
}
