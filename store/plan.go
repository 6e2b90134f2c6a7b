package store

import (
	"time"

	"flashsale/sale"
)

// plan is what a settlement is going to write, decided batch by batch against a ledger that it keeps up to date.
type plan struct {
	books      *ledger
	lookCloser bool // the ledger was read hastily and does not suffice

	markers    []mark
	forks      []mark
	confirmed  []orderRow
	refused    []orderRow
	allowances []allowance
	moves      map[sale.Bucket]*move
	closing    map[sale.Bucket]string // why
	done       sale.Settlement
}

// orderRow is a row of the orders table.
type orderRow struct {
	*sale.RecordOrder
	shared *sharedColumns
	reason sale.OrderReason // of a refused order
	slot   any              // 0 or nil
}

// sharedColumns is what all orders of a batch have in common, as arguments of a statement: boxed once, not once a row.
type sharedColumns struct {
	sale, sku, bucket, price, currency, createdAt, updatedAt, payBy any
}

// allowance is a row of the allowances table.
type allowance struct {
	owner
	slot  int
	order sale.OrderID
}

// move is what a settlement adds to a stock row.
type move struct {
	epoch   int64
	settled int64 // units of confirmed orders
	units   int64 // units of all orders of the epoch's batches
}

func newPlan(books *ledger) *plan {
	return &plan{books: books, moves: map[sale.Bucket]*move{}, closing: map[sale.Bucket]string{}}
}

// settle decides one batch. A batch that is marked is done. In the row's epoch each order is confirmed while the limit and
// the loaded units allow it, otherwise refused; in any other epoch the batch is late and each order without a row is
// refused as fenced. A fork, a refusal or an order that has a row already means, in the row's epoch, that Redis and the
// books count differently: the bucket is closed.
func (p *plan) settle(b *delivered) {
	if p.books.settled(b.Batch) {
		p.done.Duplicate++
		return
	}
	row := p.books.stock[b.Bucket]
	late := b.Epoch != row.Epoch
	fork := p.books.remember(b.Batch)
	if (late || fork) && !p.books.closely {
		p.lookCloser = true
		return
	}
	p.mark(b.Batch, fork)
	shared := columnsOf(b, row)
	agreed := !fork
	for i := range b.Orders {
		agreed = p.order(orderRow{RecordOrder: &b.Orders[i], shared: shared}, row, late) && agreed
	}
	if late {
		return
	}
	p.move(row).units += b.Units()
	if !agreed {
		p.close(row, fork)
	}
}

// order decides one order and reports whether Redis and the books agree about it.
func (p *plan) order(o orderRow, row *stockRow, late bool) (agreed bool) {
	switch {
	case p.books.orders[o.OrderID]:
		return late // its row is there, confirmed or refused: one of the two counts it twice
	case late:
		p.refuse(o, sale.ReasonFenced)
	case row.Settled-row.Released+int64(o.Quantity) > row.Loaded:
		p.refuse(o, sale.ReasonSoldOut)
		return false
	case !p.allow(&o, row):
		p.refuse(o, sale.ReasonOverLimit)
		return false
	default:
		p.confirm(o, row)
	}
	return true
}

// allow takes the buyer's slots for an order, when the limit leaves them.
func (p *plan) allow(o *orderRow, row *stockRow) bool {
	if row.limit == 1 && !p.books.closely {
		o.slot = 0 // nothing was read: the unique key will tell
		return o.Quantity == 1
	}
	who := owner{row.Sale, row.SKU, o.Buyer}
	taken := p.books.slotsOf(who).take(o.Quantity, row.limit)
	if taken == nil {
		return false
	}
	if row.limit == 1 {
		o.slot = 0
		return true
	}
	for _, slot := range taken {
		p.allowances = append(p.allowances, allowance{who, slot, o.OrderID})
	}
	return true
}

func (p *plan) confirm(o orderRow, row *stockRow) {
	p.note(o.OrderID)
	p.confirmed = append(p.confirmed, o)
	p.done.Rows++
	row.Settled += int64(o.Quantity)
	p.move(row).settled += int64(o.Quantity)
}

func (p *plan) refuse(o orderRow, reason sale.OrderReason) {
	p.note(o.OrderID)
	o.reason = reason
	p.refused = append(p.refused, o)
	p.done.Rows++
	p.done.Refused++
	p.lookCloser = p.lookCloser || !p.books.closely
}

// note keeps a second order of the same id in the same settlement from being written.
func (p *plan) note(id sale.OrderID) {
	if p.books.orders != nil {
		p.books.orders[id] = true
	}
}

func (p *plan) mark(b *sale.Batch, fork bool) {
	if fork {
		p.forks = append(p.forks, markOf(b))
	} else {
		p.markers = append(p.markers, markOf(b))
	}
}

func (p *plan) move(row *stockRow) *move {
	m := p.moves[row.Bucket]
	if m == nil {
		m = &move{epoch: row.Epoch}
		p.moves[row.Bucket] = m
	}
	return m
}

// close plans to close a bucket whose stock Redis and the books count differently, so that a rebuild starts. One that is
// closed already is reported all the same.
func (p *plan) close(row *stockRow, fork bool) {
	if _, planned := p.closing[row.Bucket]; planned {
		return
	}
	p.closing[row.Bucket] = "settlement: an order could not be inserted"
	if fork {
		p.closing[row.Bucket] = "settlement: two batches at one sequence"
	}
	p.done.Closed = append(p.done.Closed, row.Bucket)
}

func columnsOf(b *delivered, row *stockRow) *sharedColumns {
	created := datetime(b.createdMS)
	c := &sharedColumns{
		sale: b.Sale, sku: b.SKU, bucket: int64(b.Number), price: row.priceCents, currency: row.currency,
		createdAt: created, updatedAt: max(created, row.readAt), // no order changes before it is made
	}
	if row.paymentTTL > 0 {
		c.payBy = datetime(b.createdMS + row.paymentTTL*time.Second.Milliseconds())
	}
	return c
}
