package admin

import (
	"math"
	"time"

	"flashsale/sale"
)

// liveUnits counts the units of a SKU or of a sale by where they are. A number that a store away keeps unknown is null.
type liveUnits struct {
	Loaded    sale.Number `json:"loaded"`
	Available sale.Number `json:"available"`
	InFlight  sale.Number `json:"in_flight"`
	Settled   sale.Number `json:"settled"`
	Released  sale.Number `json:"released"`
	Paid      sale.Number `json:"paid"`
	Unpaid    sale.Number `json:"unpaid"`
	Conserved *bool       `json:"conserved"`     // null: not known now, as while a bucket is rebuilt
	PerS      sale.Number `json:"orders_per_s"`  // units taken a second, over the last seconds
	SoldOutIn sale.Number `json:"sold_out_in_s"` // at the present rate; null: not in sight
}

// liveRow is one SKU.
type liveRow struct {
	SKU        string `json:"sku"`
	Name       string `json:"name"`
	PriceCents int64  `json:"price_cents"`
	liveUnits
}

// unknownUnits are the units of a sale whose books cannot be read.
func unknownUnits() liveUnits {
	n := sale.Unknown()
	return liveUnits{
		Loaded: n, Available: n, InFlight: n, Settled: n, Released: n, Paid: n, Unpaid: n, PerS: n, SoldOutIn: n,
	}
}

// unitsOf counts a SKU's units. Those in Redis are known where its readings fit the books.
func unitsOf(group *skuPositions, paid int64) liveUnits {
	sum, units := group.total(), unknownUnits()
	units.Loaded, units.Settled, units.Released = sale.Number(sum.Loaded), sale.Number(sum.Settled), sale.Number(sum.Released)
	units.Paid = sale.Number(paid)
	units.Unpaid = sale.Number(max(0, sum.Settled-sum.Released-paid))
	if group.coherent() {
		holds := sum.Holds()
		units.Available, units.InFlight, units.Conserved = sale.Number(sum.Available), sale.Number(sum.InFlight), &holds
	}
	return units
}

// sold returns the units of the orders that count.
func (u *liveUnits) sold() sale.Number { return u.Settled - u.Released }

// taken returns all units that were ever taken, unknown while Redis is.
func (u *liveUnits) taken() sale.Number { return u.Settled + u.InFlight }

// add adds the units of a SKU to those of the sale. A sum with an unknown number is unknown.
func (u *liveUnits) add(o *liveUnits) {
	u.Loaded, u.Available, u.InFlight = u.Loaded+o.Loaded, u.Available+o.Available, u.InFlight+o.InFlight
	u.Settled, u.Released = u.Settled+o.Settled, u.Released+o.Released
	u.Paid, u.Unpaid = u.Paid+o.Paid, u.Unpaid+o.Unpaid
	if u.Conserved != nil && o.Conserved != nil {
		holds := *u.Conserved && *o.Conserved
		u.Conserved = &holds
	} else {
		u.Conserved = nil
	}
}

// setRate sets the rate from the units taken at an earlier moment, which may be unknown, and when the rest is gone if it stays.
func (u *liveUnits) setRate(earlier sale.Number, span time.Duration) {
	if rate := (u.taken() - earlier) / sale.Number(span.Seconds()); rate.Known() {
		u.PerS = max(0, rate)
	}
	switch {
	case u.Loaded > 0 && u.Available == 0:
		u.SoldOutIn = 0
	case u.PerS.Known() && u.PerS > 0 && u.Available.Known():
		u.SoldOutIn = sale.Number(math.Ceil(float64(u.Available / u.PerS)))
	}
}

// takenSample is the units taken of every row at one moment, by which later readings know the rates.
type takenSample struct {
	at      time.Time
	version int64 // of the sale: its rows are in the same order only while this is the same
	rows    []sale.Number
	total   sale.Number
}

// rateSpan is over how long the rates of units are measured.
const rateSpan = 5 * time.Second

// measure sets the rates of all rows since the oldest sample that is not older than rateSpan, and returns the samples for the
// next reading.
func (r *saleReading) measure(samples []takenSample) []takenSample {
	now := takenSample{at: time.Now(), version: r.sale.Version, rows: make([]sale.Number, len(r.rows)), total: r.total.taken()}
	for i := range r.rows {
		now.rows[i] = r.rows[i].taken()
	}
	for len(samples) > 0 && (now.at.Sub(samples[0].at) > rateSpan || samples[0].version != now.version ||
		len(samples[0].rows) != len(now.rows)) {
		samples = samples[1:]
	}
	first, span := takenSample{total: sale.Unknown()}, time.Millisecond
	if len(samples) > 0 {
		first = samples[0]
		span = max(now.at.Sub(first.at), span)
	}
	for i := range r.rows {
		earlier := sale.Unknown()
		if first.rows != nil {
			earlier = first.rows[i]
		}
		r.rows[i].setRate(earlier, span)
	}
	r.total.setRate(first.total, span)
	return append(samples[:len(samples):len(samples)], now)
}
