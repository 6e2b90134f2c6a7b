package sim

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/memory"
)

// The sale is one object that buyers take from and give back to, and operators add to, one after the other. Porcupine decides
// whether such an order explains all answers.

// Bounds of one decision. A history with more operations would be cut into windows of so many; those that cannot be decided
// in time are counted, not passed.
const (
	windowOperations = 2000
	decideWithin     = 250 * time.Millisecond
	forever          = time.Duration(1 << 62)
)

// answers turns all answers, and the rows at the end, into the operations of the sale.
type answers struct {
	check.Exact
	world  *world
	shown  map[sale.OrderID]bool
	stored memory.Tables
}

func answersOf(w *world, c *crowd) *answers {
	a := &answers{world: w, shown: map[sale.OrderID]bool{}, stored: w.database.Snapshot()}
	for _, p := range c.presses {
		if !p.perhaps {
			a.answer(p)
		}
	}
	for id, t := range w.watch.of {
		if !a.shown[id] { // taken without an answer
			a.Takes(t.Buyer, id.String(), linesOf(t.Lines), t.at, t.at)
		}
		a.givenBack(id, t, c)
	}
	for _, row := range w.database.all {
		a.restocked(row)
	}
	return a
}

func (a *answers) answer(p *press) {
	switch p.Outcome {
	case sale.OutcomeQueued, sale.OutcomeHeld:
		a.Takes(p.buyer, p.OrderID.String(), p.lines, p.called, p.returned)
		a.shown[p.OrderID] = true
	case sale.OutcomeReplayed:
		a.Has(p.buyer, p.OrderID.String(), p.called, p.returned)
	case sale.OutcomeSoldOut:
		a.SoldOut(p.SKU, p.called, p.returned)
	case sale.OutcomeNotEnough:
		a.NotEnough(p.SKU, p.Available, p.called, p.returned)
	case sale.OutcomeAlreadyBought:
		a.Over(p.buyer, p.SKU, p.Bought, p.called, p.returned)
	}
}

// givenBack adds the return of an order that does not count in the end, between the decision in the database and the moment
// at which Redis had applied it, or the sale's end.
func (a *answers) givenBack(id sale.OrderID, t taking, c *crowd) {
	from, to := t.at, forever
	if applied, known := a.world.database.applied[id]; known {
		to = applied
	}
	row := a.stored.Orders[id]
	switch {
	case row == nil || row.Status == sale.StatusRefused:
	case row.Status == sale.StatusCancelled:
		for _, g := range c.moves {
			if g.verb == history.Cancel && g.id == id {
				from = max(from, g.called)
				break
			}
		}
	case row.Status == sale.StatusExpired:
		from = max(from, time.Duration(row.PayBy.UnixNano())-time.Millisecond-a.world.database.ahead)
	default:
		return
	}
	a.Gives(t.Buyer, id.String(), linesOf(t.Lines), from, max(from, to))
}

// restocked adds what an outbox row of the operators adds or takes back, between its commit and the moment at which Redis had
// applied it, or the sale's end.
func (a *answers) restocked(row *stockRow) {
	to := forever
	if row.done > 0 {
		to = row.done
	}
	if row.Kind == sale.OutboxRaise {
		for _, line := range row.Lines {
			a.Adds(line.SKU, int(line.Units), row.at, to)
		}
	}
	for _, found := range row.took {
		a.Adds(found.SKU, -int(found.Units), row.at, to)
	}
}

// inOrder lets porcupine decide the history of a sale. A history that is too long, or not decided in time, is counted as
// such.
func (w *world) inOrder(c *crowd) {
	if w.unnoticed() {
		w.counter.count("histories: of a redis that went back unnoticed, which may sell what is not there", 1)
		return
	}
	if slices.ContainsFunc(w.database.all, func(r *stockRow) bool { return r.absorbed && r.Kind == sale.OutboxTake }) {
		w.counter.count("histories: of a take whose moment only a rebuild knows", 1)
		return
	}
	a := answersOf(w, c)
	w.counter.count("histories: operations", a.Len())
	if a.Len() > windowOperations {
		w.counter.count("histories: too long", 1)
		return
	}
	begins := map[string]int64{}
	for _, item := range w.shape.items {
		begins[item.SKU] = item.Stock
	}
	of := w.shape.definition()
	switch a.Decide(&of, begins, decideWithin) {
	case porcupine.Ok:
		w.counter.count("histories: in order", 1)
	case porcupine.Unknown:
		w.counter.count("histories: undecided", 1)
	case porcupine.Illegal:
		w.watch.fault("no order of %d operations explains the answers", a.Len())
	}
}
