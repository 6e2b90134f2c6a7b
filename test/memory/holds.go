package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

// maxThawed bounds the orders that one page of a thaw moves, so that thaws of small sales have several pages.
const maxThawed = 2

// Thaw is a row of the thaws table.
type Thaw struct {
	ledger.Thaw
	Number int64
}

// FreezeHolds freezes the holds of a sale: none of its orders expires until a thaw ends. A sale that is frozen is returned as it
// is; a draft or an archived sale is a *sale.StateError, a thaw that is under way sale.ErrThawing.
func (d *Database) FreezeHolds(ctx context.Context, id, _ string) (sale.Sale, error) {
	return call(ctx, d, "FreezeHolds", func() (sale.Sale, error) { return d.freeze(id) })
}

func (d *Database) freeze(id string) (sale.Sale, error) {
	s, err := d.t.sale(id)
	if err == nil {
		err = ledger.MayFreeze(&s.Sale)
	}
	switch {
	case err != nil:
		return sale.Sale{}, err
	case s.thawing:
		return sale.Sale{}, fmt.Errorf("freeze %s: %w", id, sale.ErrThawing)
	case s.HoldsFrozenSince != nil:
		return s.copied(), nil
	}
	now := sale.TimeMillis(d.nowMS())
	s.HoldsFrozenSince = &now
	d.t.eachRow(id, func(row *Row) { row.Frozen = true })
	stamped := d.t.stampSale(s)
	if d.hooks.Froze != nil {
		d.hooks.Froze(&d.t, id)
	}
	return stamped, nil
}

// BeginThaw begins to end a freeze, or finds the thaw that has begun. A sale that is not frozen is sale.ErrNotFrozen.
func (d *Database) BeginThaw(ctx context.Context, id string) (sale.Thaw, error) {
	return call(ctx, d, "BeginThaw", func() (sale.Thaw, error) {
		s, err := d.t.sale(id)
		switch {
		case err != nil:
			return sale.Thaw{}, err
		case s.HoldsFrozenSince == nil:
			return sale.Thaw{}, fmt.Errorf("thaw %s: %w", id, sale.ErrNotFrozen)
		case s.thawing:
			return s.lastThaw(), nil
		}
		now := sale.TimeMillis(d.nowMS())
		s.Thaws = append(s.Thaws, Thaw{Number: int64(len(s.Thaws)) + 1,
			Thaw: ledger.Thaw{AtMS: now.UnixMilli(), ShiftMS: ledger.ShiftOf(*s.HoldsFrozenSince, now)}})
		s.thawing = true
		thaw := s.lastThaw()
		d.t.eachRow(id, func(row *Row) { row.ThawNo, row.ThawedMS = thaw.Number, now.UnixMilli() })
		if d.hooks.Thaws != nil {
			d.hooks.Thaws(&d.t, id)
		}
		return thaw, nil
	})
}

func (s *Sale) lastThaw() sale.Thaw {
	last := s.Thaws[len(s.Thaws)-1]
	return sale.Thaw{Sale: s.ID, Number: last.Number, At: sale.TimeMillis(last.AtMS),
		Shift: time.Duration(last.ShiftMS) * time.Millisecond}
}

// ThawOrders moves the next orders of a thaw, or ends it when a whole pass has found none.
func (d *Database) ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error) {
	return call(ctx, d, "ThawOrders", func() (sale.Thaw, error) {
		s, err := d.t.sale(thaw.Sale)
		if err != nil {
			return sale.Thaw{}, err
		}
		page := d.t.toThaw(&thaw)
		switch {
		case len(page) > 0:
			d.moveAll(page, &thaw)
			last := page[len(page)-1]
			was := sale.TimeMillis(last.PayBy.UnixMilli() - thaw.Shift.Milliseconds())
			thaw.After, thaw.Moved = sale.DuePlace{DueAt: was, Order: last.OrderID}, true
		case thaw.Moved:
			thaw.After, thaw.Moved = sale.DuePlace{}, false
		default:
			d.endThaw(s, &thaw)
			thaw.Done = true
		}
		return thaw, nil
	})
}

// toThaw returns the next orders that a thaw has not moved, by the end of their payment time.
func (t *Tables) toThaw(thaw *sale.Thaw) (page []*Order) {
	if thaw.Shift == 0 {
		return nil
	}
	for _, o := range t.Orders {
		waits := o.Sale == thaw.Sale && o.Status == sale.StatusConfirmed && o.PayBy != nil && o.ThawNo < thaw.Number
		if waits && o.CreatedAt.Before(thaw.At.Time) && after(o, thaw.After) {
			page = append(page, o)
		}
	}
	slices.SortFunc(page, compareDue)
	return page[:min(len(page), maxThawed)]
}

func after(o *Order, place sale.DuePlace) bool {
	return cmp.Or(o.PayBy.Compare(place.DueAt.Time), cmp.Compare(o.OrderID, place.Order)) > 0
}

func compareDue(a, b *Order) int {
	return cmp.Or(a.PayBy.Compare(b.PayBy.Time), cmp.Compare(a.OrderID, b.OrderID))
}

func (d *Database) moveAll(page []*Order, thaw *sale.Thaw) {
	for _, o := range page {
		d.extend(o, sale.TimeMillis(o.PayBy.UnixMilli()+thaw.Shift.Milliseconds()))
		o.ThawNo = thaw.Number
	}
	inOrder := slices.SortedFunc(slices.Values(page), func(a, b *Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	d.t.noteExtended(inOrder, d.nowMS())
}

// extend moves the end of an order's payment time.
func (d *Database) extend(o *Order, payBy sale.Time) {
	if o.FirstPayBy == nil {
		o.FirstPayBy = o.PayBy
	}
	o.PayBy = &payBy
	o.UpdatedAt = sale.TimeMillis(max(o.CreatedAt.UnixMilli(), d.nowMS()))
}

func (d *Database) endThaw(s *Sale, thaw *sale.Thaw) {
	if !s.thawing || s.lastThaw().Number != thaw.Number {
		return
	}
	s.HoldsFrozenSince, s.thawing = nil, false
	d.t.eachRow(s.ID, func(row *Row) { row.Frozen = false })
	d.t.stampSale(s)
	if d.hooks.Thawed != nil {
		d.hooks.Thawed(&d.t, s.ID)
	}
}

// eachRow changes every bucket row of a sale.
func (t *Tables) eachRow(id string, change func(*Row)) {
	for bucket, row := range t.Buckets {
		if bucket.Sale == id {
			change(row)
		}
	}
}

// Thaws returns the thaws that are under way and began a time ago or earlier.
func (d *Database) Thaws(ctx context.Context, began time.Duration) ([]sale.Thaw, error) {
	return call(ctx, d, "Thaws", func() ([]sale.Thaw, error) {
		var under []sale.Thaw
		for _, s := range d.t.Sales {
			if s.thawing && d.nowMS()-s.Thaws[len(s.Thaws)-1].AtMS >= began.Milliseconds() {
				under = append(under, s.lastThaw())
			}
		}
		slices.SortFunc(under, func(a, b sale.Thaw) int { return cmp.Compare(a.Sale, b.Sale) })
		return under, nil
	})
}

// ExtendOrder moves the end of the payment time of a confirmed order to a later moment.
func (d *Database) ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) (sale.Order, error) {
	return call(ctx, d, "ExtendOrder", func() (sale.Order, error) {
		o := d.t.Orders[id]
		if o == nil {
			return sale.Order{}, d.t.missing(id, "")
		}
		extends, err := ledger.Extends(&o.Order, payBy, d.nowMS())
		if err != nil {
			return sale.Order{}, fmt.Errorf("extend order %s: %w", id, err)
		}
		if extends {
			d.extend(o, sale.TimeMillis(payBy.UnixMilli()))
			d.t.noteExtended([]*Order{o}, d.nowMS())
		}
		return o.Order, nil
	})
}

// ExpireOrders ends up to limit confirmed orders whose payment time is over, the oldest first, none of a frozen sale. A sale
// for which no payment came for so long is frozen instead.
func (d *Database) ExpireOrders(ctx context.Context, limit int, freezeAfter time.Duration) (sale.Expiry, error) {
	return call(ctx, d, "ExpireOrders", func() (done sale.Expiry, err error) {
		due := d.due(limit)
		if freezeAfter > 0 {
			if done.Frozen, err = d.freezeSilent(due, freezeAfter); err != nil {
				return done, err
			}
			due = slices.DeleteFunc(due, func(o *Order) bool { return slices.Contains(done.Frozen, o.Sale) })
		}
		d.payRemembered(due) // a remembered payment is older
		due = slices.DeleteFunc(due, func(o *Order) bool { return !d.expires(o) })
		slices.SortFunc(due, func(a, b *Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
		if len(due) > 0 {
			d.release(due, sale.StatusExpired, sale.ReasonNone)
		}
		done.Orders = len(due)
		return done, nil
	})
}

// UnpaidOrders counts the confirmed orders of every sale whose payment time ends, sorted by sale.
func (d *Database) UnpaidOrders(ctx context.Context) ([]sale.UnpaidOrders, error) {
	return call(ctx, d, "UnpaidOrders", func() (all []sale.UnpaidOrders, err error) {
		of := map[string]*sale.UnpaidOrders{}
		for _, o := range d.t.Orders {
			if o.Status != sale.StatusConfirmed || o.PayBy == nil {
				continue
			}
			one := of[o.Sale]
			if one == nil {
				one = &sale.UnpaidOrders{Sale: o.Sale}
				of[o.Sale] = one
			}
			if one.Orders++; d.expires(o) {
				one.Overdue++
				one.Oldest = max(one.Oldest, time.Duration(d.nowMS()-o.PayBy.UnixMilli())*time.Millisecond)
			}
		}
		for _, one := range of {
			all = append(all, *one)
		}
		slices.SortFunc(all, func(a, b sale.UnpaidOrders) int { return cmp.Compare(a.Sale, b.Sale) })
		return all, nil
	})
}

func (d *Database) expires(o *Order) bool {
	var of *ledger.Row
	if row := d.t.Buckets[o.Bucket()]; row != nil {
		of = &row.Row
	}
	return ledger.Expires(&o.Order, of, d.nowMS())
}

// due returns the orders whose payment time is over, of sales that are not frozen.
func (d *Database) due(limit int) (due []*Order) {
	for _, o := range d.t.Orders {
		if d.expires(o) {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, compareDue)
	return due[:min(limit, len(due))]
}

func (d *Database) freezeSilent(due []*Order, after time.Duration) (frozen []string, err error) {
	var sales []string
	for _, o := range due {
		sales = append(sales, o.Sale)
	}
	slices.Sort(sales)
	for _, id := range slices.Compact(sales) {
		of := d.t.Sales[id]
		if of == nil {
			continue
		}
		var paidMS, thawedMS int64
		for _, o := range d.t.Orders {
			if o.Sale == id && o.Status == sale.StatusPaid {
				paidMS = max(paidMS, o.UpdatedAt.UnixMilli())
			}
		}
		for _, t := range of.Thaws {
			thawedMS = max(thawedMS, t.AtMS)
		}
		if ledger.Silent(paidMS, thawedMS, d.nowMS(), after) {
			if _, err := d.freeze(id); err != nil {
				return frozen, err
			}
			frozen = append(frozen, id)
		}
	}
	return frozen, nil
}
