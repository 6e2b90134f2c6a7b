package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

// press is one press of Buy with its answer.
type press struct {
	buyer, key       string
	lines            []history.Line
	called, returned time.Duration
	sale.Answer
	perhaps bool // there was no answer
}

// open reports whether the press may have taken an order that no answer has shown.
func (p *press) open() bool { return p.perhaps || p.Outcome == sale.OutcomeUnknown }

// took returns the order in the answer to the press.
func (p *press) took() (sale.OrderID, bool) {
	switch p.Outcome {
	case sale.OutcomeQueued, sale.OutcomeHeld, sale.OutcomeReplayed:
		return p.OrderID, !p.perhaps
	}
	return 0, false
}

// acknowledged reports whether the press was answered queued.
func (p *press) acknowledged() bool {
	return !p.perhaps && (p.Outcome == sale.OutcomeQueued || p.Outcome == sale.OutcomeReplayed && p.Status == sale.StatusQueued)
}

// move is a cancellation or a payment, repeated until an answer was final.
type move struct {
	verb             history.Verb
	id               sale.OrderID
	buyer            string
	called, returned time.Duration
	end              history.End
}

// crowd are the buyers of a sale and their history.
type crowd struct {
	world *world

	mu      sync.Mutex
	presses []*press
	moves   []*move
	changes []history.Op       // of the stock
	puts    map[string][]int64 // stocks with which SKUs were put
	freezes []check.Freeze     // of the holds

	extended map[sale.OrderID]bool // orders for which more time was asked
}

// begin starts the buyers, each at a moment of its own.
func (c *crowd) begin() {
	var buyers sync.WaitGroup
	for i := range c.world.shape.buyers {
		name := fmt.Sprintf("buyer-%d", i)
		chance := newChance(c.world.seed, name)
		buyers.Go(func() {
			time.Sleep(chance.span(0, c.world.shape.span))
			c.live(name, chance)
		})
	}
	buyers.Wait()
}

// live is one buyer: some purchases, then payments and cancellations of the orders.
func (c *crowd) live(buyer string, chance *chance) {
	for n := range chance.between(1, 2) {
		key := ""
		if chance.below(3) > 0 {
			key = fmt.Sprintf("k%d", n)
		}
		lines := c.world.shape.drawLines(chance)
		var impatient sync.WaitGroup
		if key != "" && chance.one(6) { // two presses at once
			impatient.Go(func() { c.insist(buyer, key, lines, newChance(c.world.seed, buyer+key)) })
		}
		p := c.insist(buyer, key, lines, chance)
		impatient.Wait()
		if id, ok := p.took(); ok {
			c.own(id, buyer, chance)
			if key != "" && chance.one(3) {
				c.insist(buyer, key, shuffled(lines), chance)
			}
			if key != "" && chance.one(8) {
				c.insist(buyer, key, c.world.shape.drawLines(chance), chance) // other lines, mostly
			}
		}
		time.Sleep(chance.span(time.Millisecond, 400*time.Millisecond))
	}
}

// insist presses until an answer is final or the buyer's patience ends.
func (c *crowd) insist(buyer, key string, lines []history.Line, chance *chance) *press {
	for patience := chance.between(2, 8); ; patience-- {
		p := c.press(buyer, key, lines, chance)
		again := p.open() && key != ""
		switch p.Outcome {
		case sale.OutcomeFenced, sale.OutcomePaused, sale.OutcomeNotStarted, sale.OutcomeUnavailable, sale.OutcomeOverloaded,
			sale.OutcomeSaleNotFound:
			again = true
		case sale.OutcomeSKUNotFound: // it may be added yet
			again = chance.one(2)
		}
		if !again || patience == 0 {
			return p
		}
		time.Sleep(chance.span(5*time.Millisecond, 700*time.Millisecond))
	}
}

// shuffled returns the same lines in another order.
func shuffled(lines []history.Line) []history.Line {
	other := slices.Clone(lines)
	slices.Reverse(other)
	return other
}

func (c *crowd) press(buyer, key string, lines []history.Line, chance *chance) *press {
	p := &press{buyer: buyer, key: key, lines: lines, called: virtualNow()}
	if f := c.world.front(chance); f == nil {
		p.Answer = sale.Answer{Outcome: sale.OutcomeUnavailable}
	} else {
		p.Answer, p.perhaps = f.press(buyer, key, lines)
	}
	p.returned = virtualNow()
	c.world.trace.add(buyer, fmt.Sprintf("press %s %q: %v %v %s perhaps=%t", history.LinesText(lines), key, p.Outcome, p.OrderID,
		p.SKU, p.perhaps))
	c.mu.Lock()
	c.presses = append(c.presses, p)
	c.mu.Unlock()
	return p
}

// front picks a living gateway.
func (w *world) front(chance *chance) *front {
	w.mu.Lock()
	defer w.mu.Unlock()
	var alive []*front
	for _, f := range w.fronts {
		if !f.dead() {
			alive = append(alive, f)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[chance.below(len(alive))]
}

// own cancels an order, pays it, does both at once, or leaves it.
func (c *crowd) own(id sale.OrderID, buyer string, chance *chance) {
	cancels, pays := chance.one(3), chance.one(3)
	extending := newChance(c.world.seed, "extend"+id.String())
	extends := extending.one(6)
	if !cancels && !pays && !extends {
		return
	}
	var moves sync.WaitGroup
	if extends {
		moves.Go(func() {
			time.Sleep(extending.span(0, 3*time.Second))
			c.extend(id, extending)
		})
	}
	if cancels {
		wait, times := chance.span(0, 1500*time.Millisecond), chance.between(1, 2)
		moves.Go(func() {
			time.Sleep(wait)
			for range times {
				c.cancel(id, buyer, newChance(c.world.seed, "cancel"+id.String()))
			}
		})
	}
	if pays {
		wait := chance.span(0, 1500*time.Millisecond)
		moves.Go(func() {
			time.Sleep(wait)
			c.pay(id, newChance(c.world.seed, "pay"+id.String()))
		})
	}
	moves.Wait()
}

// cancel cancels an order, again while the answer is not final.
func (c *crowd) cancel(id sale.OrderID, buyer string, chance *chance) {
	c.move(history.Cancel, id, buyer, chance, func(ctx context.Context, d clerk) error {
		order, err := d.CancelOrder(ctx, id, sale.ReasonBuyer, buyer)
		if err == nil && order.Status != sale.StatusCancelled {
			c.world.watch.fault("cancelling order %s answered %s", id, order.Status)
		}
		return err
	})
}

func (c *crowd) pay(id sale.OrderID, chance *chance) {
	c.move(history.Pay, id, "", chance, func(ctx context.Context, d clerk) error {
		order, err := d.PayOrder(ctx, id, paymentOf(id))
		if err == nil && order.Status != sale.StatusPaid {
			c.world.watch.fault("paying order %s answered %s", id, order.Status)
		}
		return err
	})
}

func paymentOf(id sale.OrderID) string { return "payment-" + id.String() }

// move repeats a question until its answer is final, and records both.
func (c *crowd) move(verb history.Verb, id sale.OrderID, buyer string, chance *chance, do func(context.Context, clerk) error) {
	m := &move{verb: verb, id: id, buyer: buyer, called: virtualNow(), end: history.Perhaps}
	c.mu.Lock()
	c.moves = append(c.moves, m)
	c.mu.Unlock()
	m.end = c.repeat(chance, do)
	m.returned = virtualNow()
}

// repeat asks at most six times. It returns perhaps when no answer was final.
func (c *crowd) repeat(chance *chance, do func(context.Context, clerk) error) history.End {
	for range 6 {
		if f := c.world.front(chance); f != nil {
			ctx, cancel := f.patience(2 * time.Second)
			err := do(ctx, clerk{f.process})
			cancel()
			var status *sale.StatusError
			switch {
			case err == nil:
				return history.OK
			case errors.As(err, &status):
				return history.Refused
			}
		}
		time.Sleep(chance.span(20*time.Millisecond, 400*time.Millisecond))
	}
	return history.Perhaps
}

// demand runs when everything works again: new buyers press for each SKU, one after the other, and pay at once, until one is
// answered that nothing is left of it. They take as many units as they may, in the end one.
func (c *crowd) demand(round int, stock []check.Stock) {
	chance := newChance(c.world.seed, fmt.Sprint("demand", round))
	for _, of := range stock {
		quantity := c.world.shape.mostOf(of.SKU)
		for i := range of.Available + 30 {
			lines := []history.Line{{SKU: of.SKU, Quantity: quantity}}
			p := c.insist(fmt.Sprintf("late-%d-%s-%d", round, of.SKU, i), "k", lines, chance)
			if id, ok := p.took(); ok {
				c.pay(id, chance)
			}
			if p.Outcome == sale.OutcomeSoldOut {
				break
			}
			if p.Outcome == sale.OutcomeNotEnough {
				quantity = 1
			}
		}
	}
}
