package loadtest

import (
	"fmt"

	"flashsale/sale"
)

// Memory is what buyers of one sale were told, from one or several histories: about 300 bytes a buyer.
type Memory struct {
	sale    string
	answers int64
	buyers  map[holder]*remembered
	orders  map[sale.OrderID]*promise
	keys    map[pressKey]sale.OrderID // first order promised under a key
	doubts  map[pressKey]struct{}     // presses that perhaps became an order, and were never answered better
	forks   []fork                    // keys under which a second order was promised
	clashes []string                  // orders that were promised to two buyers
}

// remembered is what one buyer knows about one SKU.
type remembered struct {
	perhaps bool // some press of his may have been taken without his knowing
	untold  int  // rows of his that nobody promised
}

// promise is an order whose id a buyer was told.
type promise struct {
	holder
	row    bool // a row of this buyer and SKU has the id
	stands bool // and it is confirmed or paid
}

// pressKey is one idempotency key of one buyer; all his presses without a key share the empty one.
type pressKey struct {
	holder
	key string
}

// fork is one press that was answered with two order ids. Only when Redis lost writes can it happen, and then at most
// one of them may become an order that stands.
type fork struct{ first, second sale.OrderID }

// NewMemory returns an empty memory for the answers of one sale.
func NewMemory(saleID string) *Memory {
	return &Memory{
		sale: saleID, buyers: map[holder]*remembered{}, orders: map[sale.OrderID]*promise{},
		keys: map[pressKey]sale.OrderID{}, doubts: map[pressKey]struct{}{},
	}
}

// Add remembers one answer; answers of other sales are passed over. It is the callback of ReadHistory.
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

// promise remembers an order id, and that the press with its key is no longer in doubt.
func (m *Memory) promise(at pressKey, t *Told) {
	switch known := m.orders[t.orderID]; {
	case known == nil:
		m.orders[t.orderID] = &promise{holder: at.holder}
	case known.holder != at.holder:
		m.clashes = append(m.clashes, fmt.Sprintf("order %s was promised to buyer %s of %s and to buyer %s of %s",
			t.orderID, known.buyer, known.sku, at.buyer, at.sku))
	}
	if t.Key == "" || t.Code == sale.OutcomeAlreadyBought.String() {
		return // already_bought names the buyer's latest order, whatever key it has
	}
	delete(m.doubts, at)
	switch first, pressed := m.keys[at]; {
	case !pressed:
		m.keys[at] = t.orderID
	case first != t.orderID:
		m.forks = append(m.forks, fork{first, t.orderID})
	}
}

// seen compares one order row with what was told.
func (m *Memory) seen(o *sale.Order, stands bool) {
	who := holder{o.SKU, o.BuyerID}
	if told := m.orders[o.OrderID]; told != nil && told.holder == who {
		told.row, told.stands = true, stands
		return
	}
	// A refused row that nobody was told of is a batch that came too late: nothing was promised, nothing is owned.
	if buyer := m.buyers[who]; buyer != nil && o.Status != sale.StatusRefused {
		buyer.untold++
	}
}

// judgeMemory holds the promises against the rows that were seen.
func (j *judge) judgeMemory() {
	var lost, untold int64
	counts := &ToldCounts{Answers: j.memory.answers, Buyers: int64(len(j.memory.buyers)), Orders: int64(len(j.memory.orders))}
	for id, told := range j.memory.orders {
		if !told.row {
			lost++
			j.example("%s: buyer %s was promised order %s, which is not in the books", told.sku, told.buyer, id)
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
			j.example("%s: buyer %s has %d orders in the books that he was never told of", who.sku, who.buyer, buyer.untold)
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
