package check

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// Exact is the history of one SKU of whose orders a witness knows when their units left Redis and when they were back: one
// thing that buyers take from and give back to, one after the other. It decides more than Linearizable, which knows neither
// moment, and needs the witness that only a simulated Redis has.
type Exact struct {
	buyers  map[string]int
	orders  map[string]int
	records []porcupine.Operation
}

type exactVerb int

const (
	exactTakes     exactVerb = iota // units leave for a buyer
	exactGives                      // an order's units and allowance come back
	exactSoldOut                    // a buyer hears that nothing is left
	exactNotEnough                  // a buyer hears that less is left than he asked for
	exactOver                       // a buyer hears that the limit leaves him less than he asked for
	exactHas                        // a buyer reads that he has an order
)

// exactStep is one operation as the model understands it.
type exactStep struct {
	verb         exactVerb
	buyer, order int // places in the state
	units        int
}

// exactState is the state of the SKU. It is a value: strings hold a byte for each buyer and order.
type exactState struct {
	free   int
	bought string // units of each buyer
	orders string // of each order: 0 not taken, 1 taken, 2 given back
}

// Takes says that a buyer was given an order between two moments.
func (x *Exact) Takes(buyer, order string, units int, from, to time.Duration) {
	x.add(exactStep{exactTakes, x.buyer(buyer), x.order(order), units}, from, to)
}

// Gives says that an order's units came back between two moments.
func (x *Exact) Gives(buyer, order string, units int, from, to time.Duration) {
	x.add(exactStep{exactGives, x.buyer(buyer), x.order(order), units}, from, to)
}

// SoldOut says that a buyer heard that nothing is left.
func (x *Exact) SoldOut(buyer string, units int, from, to time.Duration) {
	x.add(exactStep{exactSoldOut, x.buyer(buyer), 0, units}, from, to)
}

// NotEnough says that a buyer heard that fewer are left than he asked for.
func (x *Exact) NotEnough(buyer string, units int, from, to time.Duration) {
	x.add(exactStep{exactNotEnough, x.buyer(buyer), 0, units}, from, to)
}

// OverLimit says that a buyer heard that the limit leaves him fewer than he asked for.
func (x *Exact) OverLimit(buyer string, units int, from, to time.Duration) {
	x.add(exactStep{exactOver, x.buyer(buyer), 0, units}, from, to)
}

// Has says that a buyer read that he has an order.
func (x *Exact) Has(buyer, order string, units int, from, to time.Duration) {
	x.add(exactStep{exactHas, x.buyer(buyer), x.order(order), units}, from, to)
}

// Len is the number of operations.
func (x *Exact) Len() int { return len(x.records) }

// Decide reports whether some order of the operations explains all that buyers heard, given the stock and the limit of a
// buyer. It is Unknown when that is not decided within the time.
func (x *Exact) Decide(stock, limit int, within time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(exactModel(stock, limit, len(x.buyers), len(x.orders)), x.records, within)
}

func (x *Exact) add(do exactStep, from, to time.Duration) {
	x.records = append(x.records, porcupine.Operation{ClientId: len(x.records), Input: do, Call: int64(from), Return: int64(to)})
}

func (x *Exact) buyer(name string) int { return placeIn(&x.buyers, name) }
func (x *Exact) order(id string) int   { return placeIn(&x.orders, id) }

func placeIn(places *map[string]int, name string) int {
	if *places == nil {
		*places = map[string]int{}
	}
	at, known := (*places)[name]
	if !known {
		at = len(*places)
		(*places)[name] = at
	}
	return at
}

func with(text string, at int, value byte) string {
	changed := []byte(text)
	changed[at] = value
	return string(changed)
}

// exactModel is the sequential SKU.
func exactModel(stock, limit, buyers, orders int) porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			return exactState{stock, string(make([]byte, buyers)), string(make([]byte, orders))}
		},
		Step: func(state, input, _ any) (bool, any) {
			s, o := state.(exactState), input.(exactStep)
			switch o.verb {
			case exactTakes:
				units := int(s.bought[o.buyer]) + o.units
				if s.orders[o.order] != 0 || o.units > s.free || units > limit {
					return false, s
				}
				return true, exactState{s.free - o.units, with(s.bought, o.buyer, byte(units)), with(s.orders, o.order, 1)}
			case exactGives:
				if s.orders[o.order] != 1 {
					return false, s
				}
				units := int(s.bought[o.buyer]) - o.units
				return true, exactState{s.free + o.units, with(s.bought, o.buyer, byte(units)), with(s.orders, o.order, 2)}
			case exactSoldOut:
				return s.free == 0, s
			case exactNotEnough:
				return s.free < o.units, s
			case exactOver:
				return int(s.bought[o.buyer])+o.units > limit, s
			}
			return s.orders[o.order] != 0, s
		},
	}
}
