package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Bounds of one window: porcupine's search is exponential where many operations overlap.
const (
	MaxWindow     = 2000 // operations
	looksOfWindow = 8
	windowTime    = 5 * time.Second
	latchLookUS   = 4_000_000  // a gateway with a set sold-out latch looks again every 100 ms; on a free machine within a second
	arrivalUS     = 10_000_000 // a unit given back is for sale within a second, on such a machine
)

// Linear counts the windows of linearizability: an undecided one has not passed.
type Linear struct {
	Passed, Undecided int
	Operations        int
	Faults            []Fault
}

// Linearizable decides for every SKU whether some order of the operations, each between its question and its answer,
// explains all answers: first for its stock, then for the units that each buyer owns of the SKU, and of the sale where it has a
// limit.
func Linearizable(e *Evidence) Linear {
	var l Linear
	b := newBuilder(e)
	for id, s := range e.Sales {
		for sku, loaded := range s.Loaded {
			for _, c := range e.Changes {
				if c.Sale == id && c.SKU == sku {
					loaded -= c.Units // what was there at first
				}
			}
			l.decide(stockModel(loaded), b.stock[item{id, sku}], "stock of "+id+"/"+sku)
		}
	}
	for owner, ops := range b.buyers {
		of := e.Sales[owner.sale]
		limit := of.SaleLimit
		if owner.sku != "" {
			limit = of.LimitOf(owner.sku)
		}
		l.decide(buyerModel(limit), ops, "buyer "+owner.String())
	}
	return l
}

func (l *Linear) decide(model porcupine.Model, ops []porcupine.Operation, what string) {
	for _, window := range windows(ops) {
		l.Operations += len(window)
		if len(window) > MaxWindow {
			l.Undecided++
			continue
		}
		switch porcupine.CheckOperationsTimeout(model, window, windowTime) {
		case porcupine.Ok:
			l.Passed++
		case porcupine.Unknown:
			l.Undecided++
		case porcupine.Illegal:
			l.Faults = append(l.Faults, Fault{Check: "linearizable", Text: what +
				": no order of its operations explains the answers\n" +
				describe(model, window)})
		}
	}
}

// windows divides a history. Operations that change the state have a moment by Redis's clock and are in every window.
// Operations that only read it are spread over the windows, a few in each, because a read that may be old overlaps all
// others and the search is exponential in those.
func windows(ops []porcupine.Operation) [][]porcupine.Operation {
	var changes, looks []porcupine.Operation
	for _, op := range ops {
		if op.Input.(step).looks() {
			looks = append(looks, op)
		} else {
			changes = append(changes, op)
		}
	}
	if len(looks) == 0 && len(changes) > 0 {
		return [][]porcupine.Operation{changes}
	}
	byCall := func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) }
	slices.SortStableFunc(looks, byCall)
	var all [][]porcupine.Operation
	for few := range slices.Chunk(looks, looksOfWindow) {
		all = append(all, append(slices.Clip(changes), few...))
	}
	return all
}

// step is one operation in the terms of the models.
type step struct {
	verb    verb
	units   int64
	refused int64 // units left or units bought, as the refusal has it
}

type verb string

const (
	took    verb = "took"    // an order was taken
	gave    verb = "gave"    // its units were given back; they may arrive later
	arrived verb = "arrived" // what was given back is there by now
	taken   verb = "taken"   // taken back by the operator; a ghost came first
	ghost   verb = "ghost"   // taken by a Redis that forgot: units may be missing for a while, and belong to no buyer
	soldOut verb = "soldOut" // nothing was left
	fewer   verb = "fewer"   // fewer than asked were left
	bought  verb = "bought"  // the buyer's limit was used up
)

// span is the state of both models: a number between two bounds, because units that are given back arrive in Redis some
// time later.
type span struct{ low, high int64 }

// looks reports whether the step only reads the state.
func (s step) looks() bool { return s.verb == soldOut || s.verb == fewer || s.verb == bought }

// stockModel: the units that Redis has for sale are at least low, those that have certainly arrived, and at most high,
// those that belong to no buyer.
func stockModel(loaded int64) porcupine.Model {
	return modelOf(span{loaded, loaded}, func(s span, do step) (span, bool) {
		switch do.verb {
		case took:
			return span{s.low - do.units, s.high - do.units}, s.high >= do.units
		case gave:
			return span{s.low, s.high + do.units}, true
		case arrived:
			return span{s.low + do.units, s.high}, true
		case ghost:
			return span{s.low - do.units, s.high}, true
		case taken:
			return span{s.low, s.high - do.units}, true
		case soldOut:
			return s, s.low <= 0
		case fewer:
			return s, s.low <= do.refused && do.refused <= s.high && do.refused < do.units
		}
		return s, false
	})
}

// buyerModel: the units that Redis counts for the buyer are at least low, the units owned, and at most high, which adds the
// units whose return may not have arrived.
func buyerModel(limit int) porcupine.Model {
	most := int64(limit)
	return modelOf(span{}, func(s span, do step) (span, bool) {
		switch do.verb {
		case took:
			return span{s.low + do.units, s.high + do.units}, s.low+do.units <= most
		case gave:
			return span{s.low - do.units, s.high}, s.low >= do.units
		case arrived:
			return span{s.low, s.high - do.units}, true
		case ghost:
			return span{s.low, s.high + do.units}, true
		case bought:
			return s, s.low <= do.refused && do.refused <= s.high && do.refused+do.units > most
		}
		return s, false
	})
}

func modelOf(begin span, next func(span, step) (span, bool)) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return begin },
		Step: func(state, input, _ any) (bool, any) {
			after, can := next(state.(span), input.(step))
			return can, after
		},
	}
}
