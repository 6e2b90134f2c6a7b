package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/sale"
	"flashsale/test/check"
	"flashsale/test/memory"
)

// freezing is one freeze of the sale's holds by an operator.
type freezing struct {
	at, length time.Duration // after the sale has begun; how long
	meets      bool          // it ends while an order is on its way to the database, if there is one soon
	abandoned  bool          // the operator's process dies in the middle of the thaw, and nobody asks again
}

// drawFreezes draws the freezes of the holds. Half of the sales in which orders expire have none.
func (s *shape) drawFreezes(c *chance) {
	if s.ttl == 0 {
		return
	}
	for range pick(c, 0, 0, 1, 1, 2) {
		s.freezes = append(s.freezes, freezing{at: c.span(0, s.span) + c.span(0, 3*time.Second),
			length: c.span(10*time.Millisecond, pick(c, 300*time.Millisecond, 6*time.Second)), meets: c.one(2),
			abandoned: c.one(4)})
	}
}

// startFreezes starts an operator for each freeze.
func (c *crowd) startFreezes() {
	for i, f := range c.world.shape.freezes {
		chance := newChance(c.world.seed, fmt.Sprint("freeze", i))
		c.world.changes.Go(func() {
			time.Sleep(f.at)
			c.world.freezing <- struct{}{} // one operator at a time
			c.freeze(f, chance)
			<-c.world.freezing
		})
	}
}

// freeze freezes the sale, waits and thaws it. From the answer to the freeze to the question of the thaw no order may expire.
func (c *crowd) freeze(f freezing, chance *chance) {
	c.mustHold("freeze", chance, func(ctx context.Context, d clerk) (bool, error) {
		_, err := d.FreezeHolds(ctx, saleID)
		return err == nil, err
	})
	from := virtualNow()
	time.Sleep(f.length)
	for tries := 0; f.meets && tries < 300 && !c.world.watch.onTheWay(); tries++ {
		time.Sleep(3 * time.Millisecond)
	}
	c.mu.Lock()
	c.freezes = append(c.freezes, check.Freeze{Sale: saleID, FromUS: from.Microseconds(), ToUS: virtualNow().Microseconds()})
	c.mu.Unlock()
	c.thaw(f.abandoned, chance)
}

func (c *crowd) thaw(abandoned bool, chance *chance) {
	pages := 0
	begun := false
	c.mustHold("thaw", chance, func(ctx context.Context, d clerk) (bool, error) {
		thaw, err := d.BeginThaw(ctx, saleID)
		if errors.Is(err, sale.ErrNotFrozen) { // an answer was lost, or the reaper was faster
			return true, nil
		}
		begun = begun || err == nil
		for err == nil && !thaw.Done && (!abandoned || pages == 0) {
			thaw, err = d.ThawOrders(ctx, thaw)
			pages++
		}
		return err == nil && thaw.Done || abandoned && begun, err
	})
}

// mustHold repeats what an operator asks until it is done.
func (c *crowd) mustHold(what string, chance *chance, do func(context.Context, clerk) (bool, error)) {
	if err := c.insistOnChange(chance, do); err != nil {
		c.world.watch.fault("%s of the holds failed: %v", what, err)
	}
	c.world.counter.count("operators: holds, "+what, 1)
}

// extend asks for more time to pay, once.
func (c *crowd) extend(id sale.OrderID, chance *chance) {
	c.mu.Lock()
	if c.extended == nil {
		c.extended = map[sale.OrderID]bool{}
	}
	c.extended[id] = true
	c.mu.Unlock()
	payBy := sale.TimeMillis(c.world.database.now().Add(chance.span(time.Second, 10*time.Second)).UnixMilli())
	c.repeat(chance, func(ctx context.Context, d clerk) error {
		order, err := d.ExtendOrder(ctx, id, payBy)
		if field := (*sale.FieldError)(nil); errors.As(err, &field) {
			return &sale.StatusError{Status: sale.StatusConfirmed} // refused: it has a later time, or none
		}
		if err == nil && order.PayBy.Before(payBy.Time) {
			c.world.watch.fault("order %s was extended to %s and has %s", id, payBy, order.PayBy)
		}
		return err
	})
	c.world.counter.count("orders: extensions asked for", 1)
}

// onTheWay reports whether an order that was taken has no row.
func (w *watcher) onTheWay() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.of) > w.rows
}

// dues is what the watcher has seen of payment times, under the database's lock.
type dues struct {
	first   map[sale.OrderID]firstDue
	expired map[sale.OrderID]expiredDue
}

// firstDue is the payment time with which an order became a row, and how many thaws had begun then.
type firstDue struct {
	payByMS int64
	thaws   int
}

// expiredDue is when an order was seen to have expired, by the clock of the database and by virtual time, and how many thaws
// had begun then.
type expiredDue struct {
	ms, us int64
	thaws  int
}

func newDues() *dues {
	return &dues{first: map[sale.OrderID]firstDue{}, expired: map[sale.OrderID]expiredDue{}}
}

// noteDues looks at the payment times after a transaction.
func (w *watcher) noteDues(t *memory.Tables) {
	w.mu.Lock()
	w.rows = len(t.Orders)
	w.mu.Unlock()
	thaws := t.Sales[saleID].Thaws
	for id, o := range t.Orders {
		if o.PayBy == nil {
			continue
		}
		if _, known := w.dues.first[id]; !known && o.Status != sale.StatusRefused {
			w.dues.first[id] = firstDue{o.PayBy.UnixMilli(), len(thaws)}
			if wanted := w.firstPayBy(o, thaws); o.PayBy.UnixMilli() != wanted {
				w.fault("order %s is to be paid by %d, not by %d", id, o.PayBy.UnixMilli(), wanted)
			}
		}
		if _, known := w.dues.expired[id]; !known && o.Status == sale.StatusExpired {
			w.dues.expired[id] = expiredDue{o.UpdatedAt.UnixMilli(), virtualNow().Microseconds(), len(thaws)}
		}
	}
}

// firstPayBy returns the payment time of an order that has just become a row, as the documentation says: from the press, with the
// time of the freezes whose thaw came after it, and at least a minute, or the whole time to pay, after the confirmation.
func (w *watcher) firstPayBy(o *memory.Order, thaws []memory.Thaw) int64 {
	ttl := w.world.shape.ttl * 1000
	counted := o.CreatedAt.UnixMilli() + ttl
	for _, by := range movesOf(o, thaws) {
		counted += by
	}
	return max(counted, o.UpdatedAt.UnixMilli()+min(ttl, 60_000))
}

// movesOf returns by how much thaws move an order: those that came after its press.
func movesOf(o *memory.Order, thaws []memory.Thaw) (moves []int64) {
	for _, t := range thaws {
		if o.CreatedAt.UnixMilli() < t.AtMS {
			moves = append(moves, t.ShiftMS)
		}
	}
	return moves
}

// deadline returns the evidence of an order's payment time, nil when it has none.
func (j *judge) deadline(o *memory.Order) *check.Deadline {
	first, seen := j.watch.dues.first[o.OrderID]
	if !seen || o.PayBy == nil {
		return nil
	}
	thaws := j.stored.Sales[saleID].Thaws
	due := &check.Deadline{FirstMS: first.payByMS, PayByMS: o.PayBy.UnixMilli(), ByHand: j.crowd.extended[o.OrderID]}
	if ended, did := j.watch.dues.expired[o.OrderID]; did {
		due.EndedMS, due.ExpiredUS = ended.ms, ended.us
		thaws = thaws[:ended.thaws]
	}
	if first.thaws < len(thaws) {
		due.Moves = movesOf(o, thaws[first.thaws:])
	}
	return due
}

// frozen reports whether the sale's holds are frozen.
func (j *judge) frozen() bool { return j.stored.Sales[saleID].HoldsFrozenSince != nil }

// thawAgain thaws the sale when a freeze that its operator had given up has arrived after the thaw.
func (j *judge) thawAgain(round int) {
	if j.frozen() {
		j.crowd.thaw(false, newChance(j.seed, fmt.Sprint("thaw again", round)))
		j.counter.count("operators: holds, freezes that arrived after the thaw", 1)
	}
}
