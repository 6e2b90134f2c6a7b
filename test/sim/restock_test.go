package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// restock is one change of stock that operators ask for while the sale sells.
type restock struct {
	kind  restockKind
	sku   string
	units int64
	at    time.Duration // after the sale has begun
	twice bool          // two operators ask at once
	other bool          // a third asks for other units under the same key
}

type restockKind int

const (
	byKey  restockKind = iota // units are added or taken back, under a key
	byPut                     // the sale is put with another stock
	addSKU                    // the sale is put with one more item
)

// leastTTL is the shortest time to pay, in seconds, with which a sale can be put. Other sales have shorter ones, so that more
// orders expire.
const leastTTL = 30

// drawRestocks draws the changes of stock. Half of the sales have none.
func (s *shape) drawRestocks(c *chance) {
	wares := s.wares()
	soon := pick(c, 0, 150*time.Millisecond, 150*time.Millisecond, 300*time.Millisecond) // most buckets are loaded by then
	for range pick(c, 0, 0, 0, 1, 2, 3) {
		r := restock{kind: pick(c, byKey, byKey, byPut), sku: wares[c.below(len(wares))].SKU, units: int64(c.between(1, 4)),
			at: c.span(0, s.span) + c.span(soon, 2*time.Second), twice: c.one(3), other: c.one(5)}
		if c.one(2) {
			r.units = -r.units
		}
		if c.one(6) {
			r.units *= 5
		}
		s.restocks = append(s.restocks, r)
	}
	puts := len(s.added) > 0 || slices.ContainsFunc(s.restocks, func(r restock) bool { return r.kind != byKey })
	if puts && s.ttl > 0 {
		s.ttl = leastTTL
	}
	for _, item := range s.added {
		r := restock{kind: addSKU, sku: item.SKU, at: c.span(0, s.span) + c.span(soon, time.Second), twice: c.one(3)}
		s.restocks = append(s.restocks, r)
	}
}

// startRestocks starts an operator, or several, for each change of stock.
func (c *crowd) startRestocks() {
	for i, r := range c.world.shape.restocks {
		do := func(who string, r restock) {
			chance := newChance(c.world.seed, fmt.Sprint("restock", i, who))
			time.Sleep(r.at + chance.span(0, 50*time.Millisecond))
			c.restock(r, fmt.Sprint("change-", i), chance)
		}
		c.world.changes.Go(func() { do("first", r) })
		if r.twice {
			c.world.changes.Go(func() { do("second", r) })
		}
		if r.other && r.kind == byKey {
			other := r
			other.units++
			c.world.changes.Go(func() { do("other", other) })
		}
	}
}

// restock asks for a change until it is done, from one process after the other, and sometimes once more afterwards.
func (c *crowd) restock(r restock, key string, chance *chance) {
	if r.kind == byKey && r.units == 0 {
		return
	}
	var wanted sale.Sale // that is put, and put again
	for again := chance.one(4); ; again = false {
		switch r.kind {
		case byKey:
			c.changeStock(r, key, chance)
		default:
			c.put(r, &wanted, chance)
		}
		if !again {
			return
		}
		time.Sleep(chance.span(time.Millisecond, time.Second))
	}
}

// tries bounds how often an operator asks. After the faults have ended two or three are enough.
const tries = 400

// changeStock asks for one change under its key and records the answer that was final.
func (c *crowd) changeStock(r restock, key string, chance *chance) {
	op := history.Op{Invoke: virtualNow().Microseconds(), Question: history.Question{Verb: history.Restock, Sale: saleID,
		SKU: r.sku, Key: key, Add: r.units}, Answer: history.Answer{End: history.Perhaps}}
	var change sale.StockChange
	err := c.insistOnChange(chance, func(ctx context.Context, d clerk) (done bool, err error) {
		change, err = d.ChangeStock(ctx, sale.StockChange{Sale: saleID, SKU: r.sku, Key: key, Asked: r.units})
		return change.Done, err
	})
	op.Return = virtualNow().Microseconds()
	switch {
	case err == nil:
		op.End, op.Added = history.OK, change.Added
	case errors.Is(err, sale.ErrChangeReused):
		op.End, op.Code = history.Refused, sale.OutcomeKeyReused.String()
	case errors.Is(err, sale.ErrNotFound):
		op.End, op.Code = history.Refused, sale.OutcomeSKUNotFound.String()
	default:
		c.world.watch.fault("stock change %s of %+v failed: %v", key, r, err)
	}
	c.world.trace.add("operator", fmt.Sprintf("change %s of %d %s: %+v %v", key, r.units, r.sku, change, err))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes = append(c.changes, op)
}

// insistOnChange repeats a call of an operator until it is done or refused, with a new process for each that dies.
func (c *crowd) insistOnChange(chance *chance, do func(context.Context, clerk) (bool, error)) (err error) {
	p := c.world.newProcess("operator")
	defer func() { p.crash() }()
	for range tries {
		ctx, cancel := p.patience(2 * time.Second)
		var done bool
		done, err = do(ctx, clerk{p})
		cancel()
		switch {
		case err == nil && done || refusedForGood(err):
			return err
		case p.dead():
			p = c.world.newProcess("operator")
		}
		time.Sleep(chance.span(50*time.Millisecond, 300*time.Millisecond))
	}
	return fmt.Errorf("not done after %d calls: %w", tries, errors.Join(errReset, err))
}

// refusedForGood reports whether a later call would get the same answer.
func refusedForGood(err error) bool {
	var state *sale.StateError
	var field *sale.FieldError
	return errors.Is(err, sale.ErrChangeReused) || errors.Is(err, sale.ErrNotFound) || errors.As(err, &state) ||
		errors.As(err, &field)
}

// put reads the sale, unless wanted is a definition already, and puts it with another stock of a SKU, or with one more item, as
// often as it takes. Another put between the two may have added an item, which this one would remove: the operator then reads
// again.
func (c *crowd) put(r restock, wanted *sale.Sale, chance *chance) {
	err := c.insistOnChange(chance, func(ctx context.Context, d clerk) (bool, error) {
		if wanted.ID == "" {
			present, err := d.Sale(ctx, saleID)
			if err != nil || !c.world.edit(&present, r) {
				return true, err
			}
			*wanted = present
		}
		put, err := d.PutSale(ctx, *wanted)
		if state := (*sale.StateError)(nil); errors.As(err, &state) {
			*wanted = sale.Sale{}
			return false, nil
		}
		if err == nil {
			c.world.trace.add("operator", fmt.Sprintf("put %s by %d: %+v", r.sku, r.units, put.Items))
			item, _ := wanted.Item(r.sku)
			c.notePut(r.sku, item.Stock)
		}
		return true, err
	})
	if err != nil {
		c.world.watch.fault("putting the sale with %+v failed: %v", r, err)
	}
}

// notePut notes the stock with which a SKU was put.
func (c *crowd) notePut(sku string, stock int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.puts == nil {
		c.puts = map[string][]int64{}
	}
	c.puts[sku] = append(c.puts[sku], stock)
}

// stocked checks what a put has made of the stock, if nothing else changed it: a put that is repeated later brings the stock of
// every SKU back to what it was. The SKU has the stock with which it was put, or more when it had more and buyers have the
// units.
func (j *judge) stocked() {
	for sku, stocks := range j.crowd.puts {
		least := slices.Min(stocks)
		if len(j.shape.restocks) > 1 || slices.Max(stocks) > least {
			continue
		}
		j.counter.count("operators: puts that changed a SKU alone", 1)
		item, _ := j.stored.Sales[saleID].Item(sku)
		was := least
		for _, first := range j.shape.items {
			if first.SKU == sku {
				was = max(was, first.Stock)
			}
		}
		if item.Stock < least || item.Stock > was {
			j.watch.fault("%s was put with %d units of %d and has %d", sku, least, was, item.Stock)
		}
	}
}

// edit changes a definition as an operator would. It returns false when there is nothing to change.
func (w *world) edit(wanted *sale.Sale, r restock) bool {
	for i := range wanted.Items {
		if item := &wanted.Items[i]; item.SKU == r.sku {
			was := item.Stock
			item.Stock = max(was+r.units, 0)
			return r.kind == byPut && item.Stock != was
		}
	}
	for _, item := range w.shape.added {
		if r.kind == addSKU && item.SKU == r.sku {
			wanted.Items = append(wanted.Items, item)
			return true
		}
	}
	return false
}
