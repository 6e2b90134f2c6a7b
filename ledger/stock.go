package ledger

import (
	"slices"

	"flashsale/sale"
)

// MaxLines bounds the lines of one outbox row that has no orders, so that one short script call applies it.
const MaxLines = sale.MaxTransferSKUs

// Raise plans that a bucket gets units: in the database with this plan, in Redis through outbox rows of MaxLines lines each.
// A line of 0 units makes the SKU known to Redis. Change is the idempotency key of a stock change, empty without one.
// Rule: raise-through-outbox.
func (p *Plan) Raise(bucket sale.Bucket, lines []sale.OutboxLine, change string) {
	row := p.state.Buckets[bucket]
	for page := range slices.Chunk(lines, MaxLines) {
		for _, line := range page {
			p.load(row, line.SKU, line.Units)
			p.gain(row, line.SKU).GivenEpoch += line.Units
		}
		p.give(row, sale.OutboxRow{Kind: sale.OutboxRaise, Lines: page, Change: change})
	}
}

// Take plans that Redis removes units of a bucket, as many of each line as it asks and Redis finds. The database removes them
// when Redis has: see Applied.
func (p *Plan) Take(bucket sale.Bucket, lines []sale.OutboxLine, change string) {
	for page := range slices.Chunk(lines, MaxLines) {
		p.give(p.state.Buckets[bucket], sale.OutboxRow{Kind: sale.OutboxTake, Lines: page, Change: change})
	}
}

// Change is a row of the stock changes.
type Change struct {
	sale.StockChange
	OpenRows int // takes that Redis has still to apply
}

// Took counts a take of the change as decided.
func (c *Change) Took(units int64) {
	c.OpenRows--
	c.Added -= units
}

// MayChange decides whether a stock change of some units may begin or go on. present is the row under its key, nil if there is
// none. The error wraps sale.ErrChangeReused if the key belongs to another number of units. It is a *sale.StateError if the
// sale is archived, or a draft or closed before the change has begun, and a *sale.FieldError for a number out of range. A
// change that is done is allowed in every state: it answers and does nothing.
func MayChange(s *sale.Sale, item *sale.Item, present *Change, asked int64) error {
	switch {
	case present != nil && present.Asked != asked:
		return sale.ErrChangeReused
	case present != nil && present.Done:
		return nil
	case s.State == sale.StateArchived:
		return &sale.StateError{State: s.State, Detail: "an archived sale does not change"}
	case present != nil:
		return nil
	case asked == 0 || asked < -sale.MaxStock || asked > sale.MaxStock:
		return sale.Fieldf("add", "must be -%d to %d and not 0", sale.MaxStock, sale.MaxStock)
	case s.State == sale.StateDraft || s.State == sale.StateClosed:
		return &sale.StateError{State: s.State, Detail: "the stock of a preloaded sale can change"}
	case item.Stock+asked > sale.MaxStock:
		return sale.Fieldf("add", "the stock must stay at most %d, it is %d", sale.MaxStock, item.Stock)
	}
	return nil
}

// Change plans what a stock change asks of the buckets of its sale, all of them by number. Units to add are loaded at once.
// Units to take back are asked of the buckets by takes; when all of these are decided and units are missing that no order has,
// the next call asks for them. A change that is done stays as it is. The caller asks MayChange before.
func (p *Plan) Change(c *Change, buckets []sale.Bucket) {
	if c.Done { // rule: change-once
		return
	}
	if c.OpenRows == 0 && c.Asked > 0 {
		p.spreadRaise(c, buckets)
	}
	if c.OpenRows == 0 && c.Asked < 0 {
		p.spreadTake(c, buckets)
	}
	c.Done = c.OpenRows == 0
	c.Loaded = 0
	for _, bucket := range buckets {
		c.Loaded += p.state.shelf(bucket, c.SKU).Loaded
	}
}

func (p *Plan) spreadRaise(c *Change, buckets []sale.Bucket) {
	for i, units := range SpreadRaise(c.Asked, p.unitsIn(buckets, c.SKU, loadedUnits)) {
		if units > 0 {
			p.Raise(buckets[i], []sale.OutboxLine{p.state.shelf(buckets[i], c.SKU).line(units)}, c.Key)
		}
	}
	c.Added = c.Asked
}

func (p *Plan) spreadTake(c *Change, buckets []sale.Bucket) {
	for i, units := range SpreadTake(c.Added-c.Asked, p.unitsIn(buckets, c.SKU, (*Units).Free)) {
		if units > 0 {
			p.Take(buckets[i], []sale.OutboxLine{p.state.shelf(buckets[i], c.SKU).line(units)}, c.Key)
			c.OpenRows++
		}
	}
}

func loadedUnits(u *Units) int64 { return u.Loaded }

// unitsIn returns a counter of a SKU by bucket.
func (p *Plan) unitsIn(buckets []sale.Bucket, sku string, counter func(*Units) int64) []int64 {
	units := make([]int64, len(buckets))
	for i, bucket := range buckets {
		units[i] = counter(p.state.shelf(bucket, sku))
	}
	return units
}
