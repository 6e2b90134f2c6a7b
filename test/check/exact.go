package check

import (
	"time"

	"github.com/anishathalye/porcupine"

	"flashsale/test/buyers/history"
)

// Exact is the history of one sale as one object that buyers take from and give back to, one after the other. For each order
// it needs the moments at which its units left Redis and were back, which only a simulated Redis can provide. It decides
// more than Linearizable, which has neither moment and one SKU at a time.
type Exact struct {
	skus    map[string]int
	buyers  map[string]int
	orders  map[string]int
	records []porcupine.Operation
}

type exactVerb int

const (
	exactTakes     exactVerb = iota // the units of all lines leave for a buyer
	exactGives                      // an order's units and its share of the limits are returned
	exactAdds                       // units arrive or leave that no buyer has
	exactSoldOut                    // a buyer is answered that nothing is left of a SKU
	exactNotEnough                  // a buyer is answered how many units are left, fewer than asked for
	exactOver                       // a buyer is answered how many units they have, so that a limit leaves too few
	exactHas                        // a buyer reads an order of their own
)

// exactStep is one operation in the terms of the model.
type exactStep struct {
	verb         exactVerb
	buyer, order int // places in the state
	lines        []exactLine
	seen         int // units that the answer shows
}

// exactLine is a SKU, by its place in the state, or all SKUs of the sale.
type exactLine struct{ sku, units int }

const wholeSale = -1

// exactState is the state of the sale. It is a value: strings hold a byte for each SKU, each SKU of a buyer, and each order.
type exactState struct {
	free   string
	bought string
	orders string // 0 not taken, 1 taken, 2 given back
}

// Takes adds that a buyer got an order between two moments.
func (x *Exact) Takes(buyer, order string, lines []history.Line, from, to time.Duration) {
	x.add(exactStep{verb: exactTakes, buyer: x.buyer(buyer), order: x.order(order), lines: x.lines(lines)}, from, to)
}

// Gives adds that an order's units were returned between two moments.
func (x *Exact) Gives(buyer, order string, lines []history.Line, from, to time.Duration) {
	x.add(exactStep{verb: exactGives, buyer: x.buyer(buyer), order: x.order(order), lines: x.lines(lines)}, from, to)
}

// Adds adds that the operator added units of a SKU, or took them back, between two moments.
func (x *Exact) Adds(sku string, units int, from, to time.Duration) {
	x.add(exactStep{verb: exactAdds, lines: []exactLine{{x.sku(sku), units}}}, from, to)
}

// SoldOut adds that a buyer was answered that nothing is left of a SKU.
func (x *Exact) SoldOut(sku string, from, to time.Duration) {
	x.add(exactStep{verb: exactSoldOut, lines: []exactLine{{x.sku(sku), 0}}}, from, to)
}

// NotEnough adds that a buyer was answered that so many units of a SKU are left.
func (x *Exact) NotEnough(sku string, left int64, from, to time.Duration) {
	x.add(exactStep{verb: exactNotEnough, lines: []exactLine{{x.sku(sku), 0}}, seen: int(left)}, from, to)
}

// Over adds that a buyer was answered that they have so many units of a SKU, or of the whole sale for "".
func (x *Exact) Over(buyer, sku string, bought int, from, to time.Duration) {
	at := wholeSale
	if sku != "" {
		at = x.sku(sku)
	}
	x.add(exactStep{verb: exactOver, buyer: x.buyer(buyer), lines: []exactLine{{at, 0}}, seen: bought}, from, to)
}

// Has adds that a buyer read an order of their own.
func (x *Exact) Has(buyer, order string, from, to time.Duration) {
	x.add(exactStep{verb: exactHas, buyer: x.buyer(buyer), order: x.order(order)}, from, to)
}

// Len returns the number of operations.
func (x *Exact) Len() int { return len(x.records) }

// Decide reports whether some order of the operations explains all answers, given the limits of the sale and the units that
// it begins with, at most 255 of a SKU at any time. It returns Unknown when it reaches no decision within the time.
func (x *Exact) Decide(of *Sale, begins map[string]int64, within time.Duration) porcupine.CheckResult {
	for sku := range begins {
		x.sku(sku)
	}
	return porcupine.CheckOperationsTimeout(x.model(of, begins), x.records, within)
}

func (x *Exact) add(do exactStep, from, to time.Duration) {
	x.records = append(x.records, porcupine.Operation{ClientId: len(x.records), Input: do, Call: int64(from), Return: int64(to)})
}

func (x *Exact) sku(name string) int   { return placeIn(&x.skus, name) }
func (x *Exact) buyer(name string) int { return placeIn(&x.buyers, name) }
func (x *Exact) order(id string) int   { return placeIn(&x.orders, id) }

func (x *Exact) lines(of []history.Line) []exactLine {
	lines := make([]exactLine, len(of))
	for i, line := range of {
		lines[i] = exactLine{x.sku(line.SKU), line.Quantity}
	}
	return lines
}

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
