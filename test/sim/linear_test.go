package sim

import (
	"time"

	"github.com/anishathalye/porcupine"

	"flashsale/sale"
	"flashsale/test/memory"
)

// One SKU as a single thing that buyers take from and give back to, one after the other: whether the answers that buyers
// heard can be put into such an order is what porcupine decides.

// Bounds of one decision. A history with more operations would be cut into windows of so many; those that cannot be decided
// in time are counted, not passed.
const (
	windowOperations = 2000
	decideWithin     = 250 * time.Millisecond
)

type verb int

const (
	takes     verb = iota // units leave for a buyer
	gives                 // an order's units and allowance come back
	soldOut               // a buyer hears that nothing is left
	notEnough             // a buyer hears that less is left than he asked for
	isOver                // a buyer hears that the limit leaves him less than he asked for
	has                   // a buyer reads that he has an order
)

// operation is one thing that somebody did or heard.
type operation struct {
	verb
	buyer, order int // places in the state
	quantity     int
}

// shop is the state of the SKU. It is a value: strings hold a byte for each buyer and order.
type shop struct {
	free   int
	bought string // units of each buyer
	orders string // of each order: 0 not taken, 1 taken, 2 given back
}

func with(text string, at int, value byte) string {
	changed := []byte(text)
	changed[at] = value
	return string(changed)
}

// skuModel is the sequential SKU.
func skuModel(stock, limit, buyers, orders int) porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			return shop{stock, string(make([]byte, buyers)), string(make([]byte, orders))}
		},
		Step: func(state, input, _ any) (bool, any) {
			s, o := state.(shop), input.(operation)
			switch o.verb {
			case takes:
				units := int(s.bought[o.buyer]) + o.quantity
				if s.orders[o.order] != 0 || o.quantity > s.free || units > limit {
					return false, s
				}
				return true, shop{s.free - o.quantity, with(s.bought, o.buyer, byte(units)), with(s.orders, o.order, 1)}
			case gives:
				if s.orders[o.order] != 1 {
					return false, s
				}
				units := int(s.bought[o.buyer]) - o.quantity
				return true, shop{s.free + o.quantity, with(s.bought, o.buyer, byte(units)), with(s.orders, o.order, 2)}
			case soldOut:
				return s.free == 0, s
			case notEnough:
				return s.free < o.quantity, s
			case isOver:
				return int(s.bought[o.buyer])+o.quantity > limit, s
			}
			return s.orders[o.order] != 0, s
		},
	}
}

// history turns what everybody heard, and what the database says in the end, into operations.
type history struct {
	world   *world
	buyers  map[string]int
	orders  map[sale.OrderID]int
	told    map[sale.OrderID]bool
	records []porcupine.Operation
	stored  memory.Tables
}

func historyOf(w *world, c *crowd) *history {
	h := &history{world: w, buyers: map[string]int{}, orders: map[sale.OrderID]int{}, told: map[sale.OrderID]bool{}, stored: w.database.Snapshot()}
	for _, p := range c.presses {
		if !p.perhaps {
			h.heard(p)
		}
	}
	for id, t := range w.watch.of {
		if !h.told[id] { // taken behind an answer that never came
			h.add(operation{takes, h.buyer(t.Buyer), h.order(id), t.Quantity}, t.at, t.at)
		}
		h.givenBack(id, t, c)
	}
	return h
}

func (h *history) add(o operation, called, returned time.Duration) {
	h.records = append(h.records, porcupine.Operation{
		ClientId: len(h.records), Input: o, Call: int64(called), Return: int64(returned),
	})
}

func (h *history) buyer(name string) int { return place2(h.buyers, name) }

func (h *history) order(id sale.OrderID) int { return place2(h.orders, id) }

func place2[K comparable](places map[K]int, name K) int {
	at, known := places[name]
	if !known {
		at = len(places)
		places[name] = at
	}
	return at
}

func (h *history) heard(p *press) {
	o := operation{buyer: h.buyer(p.buyer), quantity: p.quantity}
	switch p.Outcome {
	case sale.OutcomeQueued, sale.OutcomeHeld:
		o.verb, o.order = takes, h.order(p.OrderID)
		h.told[p.OrderID] = true
	case sale.OutcomeReplayed:
		o.verb, o.order = has, h.order(p.OrderID)
	case sale.OutcomeSoldOut:
		o.verb = soldOut
	case sale.OutcomeNotEnough:
		o.verb = notEnough
	case sale.OutcomeAlreadyBought:
		o.verb = isOver
	default:
		return
	}
	h.add(o, p.called, p.returned)
}

// givenBack adds the way back of an order that does not count in the end: at some moment from when it was decided until
// Redis is known to have applied it, or until the sale's end.
func (h *history) givenBack(id sale.OrderID, t taking, c *crowd) {
	from, to := t.at, time.Duration(1<<62)
	if applied, known := h.world.database.applied[id]; known {
		to = applied
	}
	row := h.stored.Orders[id]
	switch {
	case row == nil || row.Status == sale.StatusRefused:
	case row.Status == sale.StatusCancelled:
		for _, g := range c.givings {
			if g.id == id {
				from = max(from, g.called)
				break
			}
		}
	case row.Status == sale.StatusExpired:
		from = max(from, time.Duration(row.PayBy.UnixNano())-time.Millisecond-h.world.database.ahead)
	default:
		return
	}
	h.add(operation{gives, h.buyer(t.Buyer), h.order(id), t.Quantity}, from, max(from, to))
}

func (h *history) check() porcupine.CheckResult {
	model := skuModel(int(h.world.shape.stock), h.world.shape.limit, len(h.buyers), len(h.orders))
	return porcupine.CheckOperationsTimeout(model, h.records, decideWithin)
}

// inOrder puts the history of a sale in order. A history that is too long, or not decided in time, is counted as such.
func (w *world) inOrder(c *crowd) {
	if w.unnoticed() {
		w.counter.count("histories: of a redis that went back unnoticed, which may sell what is not there", 1)
		return
	}
	h := historyOf(w, c)
	w.counter.count("histories: operations", len(h.records))
	if len(h.records) > windowOperations {
		w.counter.count("histories: too long", 1)
		return
	}
	switch h.check() {
	case porcupine.Ok:
		w.counter.count("histories: in order", 1)
	case porcupine.Unknown:
		w.counter.count("histories: undecided", 1)
	case porcupine.Illegal:
		w.watch.fault("no order of %d operations explains the answers", len(h.records))
	}
}
